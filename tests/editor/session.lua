-- A session in Neovim with its own client: open, wait for diagnostics, hover, complete, go to the parent, fix, write.
-- Called with: nvim --headless --clean -l/-S session.lua; VLLM_MIGRATE_PYTHON is the interpreter, OUT the file for the answers.
local answers = {}
local WAIT = 30000

local function finish(failure)
  answers.failure = failure
  local file = io.open(vim.env.OUT, "w")
  file:write(vim.fn.json_encode(answers))
  file:close()
  vim.cmd(failure and "cquit 1" or "qall!")
end

local function session()
  local client = vim.lsp.start_client({
    name = "vllm-migrate",
    cmd = { vim.env.VLLM_MIGRATE_PYTHON, "-m", "vllm_migrate", "lsp" },
    root_dir = vim.fn.getcwd(),
  })
  assert(client, "the server did not start")

  local function open(name)
    vim.cmd("edit " .. name)
    local buffer = vim.api.nvim_get_current_buf()
    vim.lsp.buf_attach_client(buffer, client)
    return buffer
  end

  local function diagnostics(buffer, wanted)
    assert(vim.wait(WAIT, function() return wanted(vim.diagnostic.get(buffer)) end, 20), "no such diagnostics")
    return vim.tbl_map(function(each) return each.message end, vim.diagnostic.get(buffer))
  end

  local function ask(buffer, method, parameters)
    local answer = vim.lsp.buf_request_sync(buffer, method, parameters, WAIT)
    assert(answer and answer[client], method .. " was not answered")
    assert(not answer[client].err, vim.inspect(answer[client].err))
    return answer[client].result
  end

  local function at(line, column)
    vim.api.nvim_win_set_cursor(0, { line, column })
    return vim.lsp.util.make_position_params(0, "utf-16")
  end

  local function edit(workspace_edit)
    vim.lsp.util.apply_workspace_edit(workspace_edit, "utf-16")
  end

  local buffer = open("conf/base.yaml")
  answers.opened = diagnostics(buffer, function(found) return #found > 0 end)
  answers.hover = ask(buffer, "textDocument/hover", at(7, 6)).contents.value

  -- Type a key; what is offered counts for the text that is not written.
  vim.api.nvim_buf_set_lines(buffer, 7, 7, false, { "    enable-chu" })
  local items = ask(buffer, "textDocument/completion", at(8, 13)).items
  answers.completion = vim.tbl_map(function(item) return item.label end, items)
  vim.api.nvim_buf_set_lines(buffer, 7, 8, false, {})

  -- A quick fix, then all of them, through the client's own way of applying edits.
  local parameters = vim.lsp.util.make_range_params(0, "utf-16")
  parameters.range = { start = { line = 6, character = 4 }, ["end"] = { line = 6, character = 5 } }
  parameters.context = { diagnostics = {}, only = { "quickfix" } }
  local actions = ask(buffer, "textDocument/codeAction", parameters)
  answers.actions = vim.tbl_map(function(action) return action.title end, actions)
  edit(actions[1].edit)
  diagnostics(buffer, function(found)
    for _, each in ipairs(found) do
      if each.message:find("num%-scheduler%-steps") then return false end
    end
    return true
  end)
  parameters.range = { start = { line = 0, character = 0 }, ["end"] = { line = 0, character = 0 } }
  parameters.context.only = { "source.fixAll" }
  local whole = ask(buffer, "textDocument/codeAction", parameters)
  edit(ask(buffer, "codeAction/resolve", whole[1]).edit)
  vim.cmd("write")
  answers.written = table.concat(vim.fn.readfile("conf/base.yaml"), "\n")

  buffer = open("conf/math.yaml")
  answers.parent = ask(buffer, "textDocument/definition", at(6, 6))[1]
  vim.lsp.stop_client(client)
end

local ok, failure = xpcall(session, debug.traceback)
finish(not ok and failure or nil)
