// Starts `vllm-migrate lsp` and hands it the files that it reads. Everything else is the server's.

import { type ExtensionContext, commands, window, workspace } from "vscode";
import { LanguageClient, type LanguageClientOptions, type ServerOptions } from "vscode-languageclient/node";

const LANGUAGES = ["yaml", "toml", "json", "jsonc", "shellscript", "python", "dockercompose", "helm"];
// What decides releases and settings without being open.
const EVIDENCE = "**/{vllm-migrate.toml,pyproject.toml,setup.py,setup.cfg,requirements*.txt,*.lock,Dockerfile*}";

let client: LanguageClient | undefined;

function serverOptions(): ServerOptions {
  const folder = workspace.workspaceFolders?.[0]?.uri.fsPath ?? "";
  const words = workspace.getConfiguration("vllmMigrate").get<string[]>("command") ?? [];
  const [command = "vllm-migrate", ...args] = words.map((word) => word.replaceAll("${workspaceFolder}", folder));
  return { command, args };
}

function clientOptions(): LanguageClientOptions {
  return {
    documentSelector: LANGUAGES.map((language) => ({ scheme: "file", language })),
    synchronize: { fileEvents: workspace.createFileSystemWatcher(EVIDENCE) },
  };
}

async function start(): Promise<void> {
  await client?.stop().catch(() => undefined);
  client = new LanguageClient("vllmMigrate", "vLLM Migrate", serverOptions(), clientOptions());
  try {
    await client.start();
  } catch (error) {
    const install = 'pip install "vllm-migrate[lsp]"';
    void window.showErrorMessage(
      `The language server of vllm-migrate did not start: ${String(error)}. ${install}, or set vllmMigrate.command.`,
    );
  }
}

export async function activate(context: ExtensionContext): Promise<void> {
  context.subscriptions.push(
    commands.registerCommand("vllmMigrate.restart", start),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("vllmMigrate.command")) {
        void start();
      }
    }),
  );
  await start();
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
