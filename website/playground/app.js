// The page: files on the left, what the linter says of them, and the files after its fixes. All text is set as text.
import { decode, encode } from "./share.js";
import { diff } from "./diff.js";

const PAUSE = 250; // ms without a key before the files are judged
const ORDER = ["error", "warning", "info"];
const $ = (id) => document.getElementById(id);

const state = { files: [{ path: "serve.yaml", text: "" }], active: 0, from: "", to: "", engine: "", gpu: "" };
let result = null; // the answer that is shown
let asked = 0; // requests sent
let timer = 0;
let named = false; // whether the path was chosen by the user, an example or a link

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => {
  if (data.facts) ready(data.facts);
  else if (data.failed) summary(`Python could not be loaded: ${data.failed}`, "bad");
  else if (data.id === asked) show(data.answer);
};
worker.onerror = (event) => summary(`Python could not be loaded: ${event.message || "see the console"}`, "bad");

// ---- small helpers

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

const file = () => state.files[state.active];

function summary(text, kind = "") {
  $("summary").textContent = text;
  $("status").dataset.kind = kind;
}

function plural(count, one) {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}

// ---- loading

function ready(facts) {
  for (const id of ["from", "to"]) $(id).append(...facts.releases.map((release) => new Option(release, release)));
  $("gpu").append(...facts.gpus.map((gpu) => new Option(gpu, gpu)));
  for (const id of ["from", "to", "engine", "gpu"]) $(id).value = state[id];
  document.documentElement.dataset.ready = facts.version;
  judge();
}

async function examples() {
  const response = await fetch(new URL("examples.json", import.meta.url));
  const list = await response.json();
  $("example").append(...list.map((example, index) => new Option(example.title, index)));
  $("example").onchange = () => {
    const chosen = list[$("example").value];
    if (chosen) open(chosen.files, chosen);
  };
  const shared = await decode(location.hash);
  if (shared) open(shared.files, shared);
  else if (!file().text) {
    $("example").value = "0";
    open(list[0].files, list[0]);
  }
}

window.addEventListener("hashchange", async () => {
  const shared = await decode(location.hash);
  if (shared) open(shared.files, shared);
});

function open(files, { from = "", to = "", engine = "", gpu = "" } = {}) {
  state.files = files.map(({ path, text }) => ({ path, text: text.replaceAll("\r\n", "\n") }));
  Object.assign(state, { active: 0, from, to, engine, gpu });
  for (const id of ["from", "to", "engine", "gpu"]) $(id).value = state[id];
  named = true;
  result = null;
  showFile();
  judge();
}

// ---- judging

function judge() {
  clearTimeout(timer);
  if (!document.documentElement.dataset.ready) return;
  const files = Object.fromEntries(state.files.map(({ path, text }) => [path, text]));
  if (!state.files.some(({ text }) => text.trim())) return show({ empty: true });
  document.documentElement.dataset.busy = "";
  const { from, to, engine, gpu } = state;
  worker.postMessage({ id: ++asked, request: { files, from, to, engine, gpu } });
}

function later() {
  document.documentElement.dataset.busy = "";
  asked++; // an answer to what stood here before is not shown
  clearTimeout(timer);
  timer = setTimeout(judge, PAUSE);
}

function show(answer) {
  result = answer;
  delete document.documentElement.dataset.busy;
  showSummary();
  showFindings();
  showMarks();
  showFixed();
  showFiles();
}

function showSummary() {
  $("move").textContent = "";
  if (result.empty) return summary("Paste a file, or choose an example.");
  if (result.error) return summary([result.error, result.remedy].filter(Boolean).join(" — "), "bad");
  const findings = result.findings.filter(({ kind }) => kind !== "checklist");
  const counts = ORDER.map((severity) => [severity, findings.filter((each) => each.severity === severity).length]);
  const parts = counts.filter(([, count]) => count).map(([severity, count]) => (severity === "info" ? `${count} info` : plural(count, severity)));
  const todo = result.findings.length - findings.length;
  if (todo) parts.push(`${todo} on the checklist`);
  if (!result.engines && !result.findings.length) summary("No vLLM settings recognised. Is the path one that the framework would use?", "none");
  else summary(parts.join(", ") || "Nothing changes for these files.", findings.some(({ severity }) => severity !== "info") ? "found" : "good");
  const [from, to] = result.why;
  $("move").textContent = `${result.from} (${from}) → ${result.to} (${to})`;
}

// ---- findings

function sorted() {
  const findings = (result?.findings ?? []).map((finding, index) => ({ ...finding, index }));
  const rank = ({ severity, kind }) => ORDER.indexOf(severity) + (kind === "checklist" ? 10 : 0);
  return findings.sort((a, b) => rank(a) - rank(b) || a.index - b.index);
}

function showFindings() {
  const findings = sorted();
  for (const node of document.querySelectorAll(".count")) node.textContent = findings.length || "";
  const problems = (result?.problems ?? []).map(({ path, message }) => `${path}: ${message}`);
  $("notes").replaceChildren(...[...problems, ...(result?.notes ?? [])].map((text) => element("p", { textContent: text })));
  $("findings").replaceChildren(...findings.map(card));
}

function card(finding) {
  const { severity, code, name, path, line, message, why, fix } = finding;
  const checklist = finding.kind === "checklist";
  const goto = element("button", { type: "button", className: "place", textContent: state.files.length > 1 ? `${path}:${line}` : `line ${line}` });
  goto.title = `Go to ${path}:${line}`;
  goto.onclick = () => reveal(finding, true);
  const rule = element("a", { className: "rule", href: `../rules/${name}/`, target: "_blank", rel: "noopener", textContent: `${code} ${name}` });
  const head = element("div", { className: "head" },
    element("span", { className: `badge ${severity}`, textContent: checklist ? "checklist" : severity }), rule, goto);
  const node = element("li", { id: `finding-${finding.index}`, className: `${severity}${checklist ? " checklist" : ""}`, tabIndex: -1 },
    head, element("p", { className: "message", textContent: message }));
  if (why) node.append(element("p", { className: "why", textContent: why }));
  if (fix && fix.safety !== "none" && fix.edits.length) node.append(offered(finding));
  else if (fix?.reason) node.append(advice("No edit", fix.reason));
  if (finding.advice && !(fix && fix.edits.length)) node.append(advice("Advice", finding.advice));
  if (finding.depends_on.length) node.append(advice("Depends on", finding.depends_on.join("; ")));
  if (finding.children.length) node.append(advice("Inherited by", finding.children.join(", ")));
  return node;
}

function advice(title, text) {
  return element("p", { className: "advice" }, element("b", { textContent: `${title}: ` }), text);
}

function offered(finding) {
  const { safety, title, needs, preview } = finding.fix;
  const button = element("button", { type: "button", className: "apply", textContent: "Apply" });
  button.setAttribute("aria-label", `Apply: ${title}`);
  button.onclick = () => applyFix(finding);
  const lines = preview.map(([sign, line]) => element("span", { className: sign === "-" ? "gone" : "new", textContent: `${sign} ${line}` }));
  return element("div", { className: "fix" },
    element("div", { className: "fixhead" }, element("span", { className: `safety ${safety}`, textContent: safety }),
      element("span", { textContent: needs ? `${title} (needs vLLM ≥ ${needs})` : title }), button),
    element("pre", {}, ...lines));
}

function applyFix({ fix }) {
  const touched = fix.edits.map(({ path }) => path);
  for (const path of new Set(touched)) {
    const target = state.files.find((each) => each.path === path);
    if (!target) continue;
    const edits = fix.edits.filter((edit) => edit.path === path).sort((a, b) => b.start - a.start || b.end - a.end);
    const text = edits.reduce((old, { start, end, text: put }) => old.slice(0, start) + put + old.slice(end), target.text);
    replace(target, text);
  }
  later();
}

/** Put a text in a file's place; in the editor as if it were typed, so that the browser can undo it. */
function replace(target, text) {
  if (target !== file()) {
    target.text = text;
    return;
  }
  const box = $("text"), old = box.value, top = box.scrollTop;
  let start = 0, end = 0;
  while (start < old.length && start < text.length && old[start] === text[start]) start++;
  while (end < old.length - start && end < text.length - start && old.at(-1 - end) === text.at(-1 - end)) end++;
  const focused = document.activeElement;
  box.focus({ preventScroll: true });
  box.setSelectionRange(start, old.length - end);
  const put = text.slice(start, text.length - end);
  const done = document.execCommand(put ? "insertText" : "delete", false, put);
  if (!done || box.value !== text) box.value = text;
  box.scrollTop = top;
  if (focused && focused !== document.body) focused.focus({ preventScroll: true });
  target.text = text;
  showLines();
}

// ---- the editor

function showFiles() {
  const changes = (path, text) => result?.all && path in result.all && result.all[path] !== text;
  $("files").replaceChildren(...state.files.map(({ path, text }, index) => {
    const button = element("button", { type: "button", textContent: path || "unnamed", className: changes(path, text) ? "changes" : "" });
    button.setAttribute("aria-pressed", String(index === state.active));
    button.onclick = () => { state.active = index; showFile(); $("text").focus(); };
    return button;
  }));
  $("remove").hidden = state.files.length < 2;
}

function showFile() {
  $("path").value = file().path;
  $("text").value = file().text;
  $("text").scrollTo(0, 0);
  showFiles();
  showLines();
  showMarks();
  showFixed();
}

function showLines() {
  const worst = new Map(), lines = file().text.split("\n").length;
  for (const { path, line, severity } of here()) {
    if (!worst.has(line) || ORDER.indexOf(severity) < ORDER.indexOf(worst.get(line))) worst.set(line, severity);
  }
  $("gutter").replaceChildren(...Array.from({ length: lines }, (_, index) => {
    const severity = worst.get(index + 1);
    const node = element("span", { textContent: index + 1, className: severity ?? "" });
    if (severity) node.onclick = () => reveal(sorted().find((each) => each.path === file().path && each.line === index + 1));
    return node;
  }));
  scroll();
}

function here() {
  return sorted().filter(({ path }) => path === file().path);
}

/** Underlines below the text: the same text, with the places of findings marked. */
function showMarks() {
  const text = file().text, pieces = [];
  let at = 0;
  const spans = here().filter(({ start, end }) => end > start && end <= text.length).sort((a, b) => a.start - b.start || ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  for (const { start, end, severity } of spans) {
    const stop = Math.min(end, text.indexOf("\n", start) < 0 ? end : text.indexOf("\n", start));
    if (start < at || stop <= start) continue;
    pieces.push(text.slice(at, start), element("mark", { className: severity, textContent: text.slice(start, stop) }));
    at = stop;
  }
  $("marks").replaceChildren(...pieces, text.slice(at) + "\n");
  showLines();
}

function scroll() {
  const { scrollTop, scrollLeft } = $("text");
  $("gutter").style.transform = `translateY(${-scrollTop}px)`;
  $("marks").style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
}

/** Show a finding: its card, and its place in the editor. */
function reveal(finding, editor = false) {
  if (!finding) return;
  const index = state.files.findIndex(({ path }) => path === finding.path);
  if (index >= 0 && index !== state.active) { state.active = index; showFile(); }
  for (const node of document.querySelectorAll("#findings .current")) node.classList.remove("current");
  const node = $(`finding-${finding.index}`);
  node?.classList.add("current");
  if (editor) {
    pane("input");
    const box = $("text");
    box.focus();
    const line = box.value.indexOf("\n", finding.start); // a place without width shows its line
    box.setSelectionRange(finding.start, Math.max(finding.end, finding.end > finding.start ? 0 : line));
    box.scrollTop = Math.max(0, (finding.line - 4) * parseFloat(getComputedStyle(box).lineHeight));
    const row = document.querySelector(`#fixed .row[data-line="${finding.line}"]`);
    if (row) $("fixed").scrollTop = row.offsetTop - $("fixed").offsetTop - 60;
  } else {
    pane("findings");
  }
  node?.scrollIntoView({ block: "nearest" });
}

function step(forward) {
  const places = here().sort((a, b) => a.start - b.start || a.index - b.index);
  if (!places.length) return;
  const current = document.querySelector("#findings .current")?.id;
  const at = places.findIndex(({ index }) => `finding-${index}` === current);
  reveal(places.at(at < 0 ? (forward ? 0 : -1) : (at + (forward ? 1 : -1)) % places.length), true);
}

function guess(text) {
  if (/^#!.*\b(ba|z)?sh\b/.test(text) || /^\s*(export \w+=|vllm serve |python3? -m )/m.test(text)) return "launch.sh";
  if (/^\s*[[{]/.test(text) && text.trimEnd().endsWith("}")) return "config.json";
  if (/^(import|from) \w/m.test(text)) return "rollout.py";
  if (/^\[[\w.]+\]\s*$/m.test(text)) return "rl.toml";
  if (/^services:/m.test(text)) return "compose.yaml";
  return "serve.yaml";
}

// ---- the fixed text

function showFixed() {
  const texts = result?.[$("review").checked ? "all" : "safe"] ?? {};
  const { path, text } = file();
  const fixed = path in texts ? texts[path] : text;
  const lines = diff(text, fixed);
  $("apply").disabled = !Object.keys(texts).some((name) => texts[name] !== state.files.find((each) => each.path === name)?.text);
  let old = 0, now = 0;
  $("fixed").replaceChildren(...lines.map(([sign, line]) => {
    if (sign !== "+") old++;
    if (sign !== "-") now++;
    const kind = { "-": "gone", "+": "new", " ": "" }[sign];
    const row = element("div", { className: `row ${kind}` },
      element("span", { className: "number", textContent: sign === "-" ? old : now }), element("span", { className: "sign", textContent: sign }),
      element("code", { textContent: line || " " }));
    if (sign !== "+") row.dataset.line = old;
    return row;
  }));
  const changed = lines.some(([sign]) => sign !== " ");
  $("fixed").dataset.changed = String(changed);
}

function applyAll(texts) {
  for (const each of state.files) if (each.path in texts) replace(each, texts[each.path]);
  showFile();
  later();
}

// ---- events

$("text").oninput = () => {
  if (!named && !file().text && $("text").value.length > 20) {
    file().path = $("path").value = guess($("text").value);
  }
  file().text = $("text").value;
  if (!file().text && state.files.length === 1) named = false; // what is pasted next is something else
  showLines();
  $("marks").textContent = `${file().text}\n`;
  later();
};
$("text").onscroll = scroll;
$("path").oninput = () => {
  named = true;
  const path = $("path").value.trim();
  const taken = state.files.some((each) => each !== file() && each.path === path);
  $("path").setCustomValidity(path && !taken ? "" : taken ? "another file has this path" : "a file needs a path");
  if (!path || taken) return;
  file().path = path;
  showFiles();
  later();
};
$("add").onclick = () => {
  const used = new Set(state.files.map(({ path }) => path));
  const path = ["requirements.txt", "base.yaml", "launch.sh", "Dockerfile"].find((each) => !used.has(each)) ?? `file-${state.files.length + 1}.yaml`;
  state.files.push({ path, text: "" });
  state.active = state.files.length - 1;
  showFile();
  $("path").select();
  $("path").focus();
};
$("remove").onclick = () => {
  state.files.splice(state.active, 1);
  state.active = Math.max(0, state.active - 1);
  showFile();
  judge();
};
$("controls").onsubmit = (event) => event.preventDefault();
for (const id of ["from", "to", "engine", "gpu"]) $(id).onchange = () => { state[id] = $(id).value; judge(); };
$("review").onchange = showFixed;
$("apply").onclick = () => applyAll(result[$("review").checked ? "all" : "safe"]);
$("copy").onclick = async () => {
  const texts = result?.[$("review").checked ? "all" : "safe"] ?? {};
  await copied($("copy"), texts[file().path] ?? file().text);
};
$("share").onclick = async () => {
  const { files, from, to, engine, gpu } = state;
  history.replaceState(null, "", await encode({ files, from, to, engine, gpu }));
  await copied($("share"), location.href);
};

async function copied(button, text) {
  const before = button.dataset.label ??= button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = button.id === "share" ? "In the address bar" : "No clipboard";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}

document.onkeydown = (event) => {
  if (event.key === "F8") { event.preventDefault(); step(!event.shiftKey); }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && result?.safe) { event.preventDefault(); applyAll(result.safe); }
};

// ---- panes as tabs, where the window is narrow

const TABS = ["input", "findings", "fixed"];

function pane(name) {
  document.querySelector("main").dataset.pane = name;
  for (const each of TABS) {
    $(`tab-${each}`).setAttribute("aria-selected", String(each === name));
    $(`tab-${each}`).tabIndex = each === name ? 0 : -1;
  }
}
for (const name of TABS) {
  $(`tab-${name}`).onclick = () => pane(name);
  $(`tab-${name}`).onkeydown = ({ key }) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!by) return;
    const next = TABS[(TABS.indexOf(name) + by + TABS.length) % TABS.length];
    pane(next);
    $(`tab-${next}`).focus();
  };
}

// ---- colours

const THEMES = [["", "as the system", "◐"], ["light", "light", "☀"], ["dark", "dark", "☾"]];
function theme(value) {
  const [name, label, sign] = THEMES.find(([each]) => each === value) ?? THEMES[0];
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  $("theme").textContent = sign;
  $("theme").setAttribute("aria-label", `Colours: ${label}`);
  $("theme").title = `Colours: ${label}`;
}
$("theme").onclick = () => {
  const now = THEMES.findIndex(([name]) => name === (document.documentElement.dataset.theme ?? ""));
  const [next] = THEMES[(now + 1) % THEMES.length];
  theme(next);
  try { localStorage.setItem("theme", next); } catch { /* not kept */ }
};

theme(document.documentElement.dataset.theme ?? "");
showFile();
examples();
