// Starts `vllm-migrate lsp`. Everything else is the server's, which also says what files it wants watched.

import { type ExtensionContext, commands, window, workspace } from "vscode";
import { LanguageClient, type LanguageClientOptions, type ServerOptions } from "vscode-languageclient/node";

const LANGUAGES = ["yaml", "toml", "json", "jsonc", "shellscript", "python", "dockercompose", "helm"];

let client: LanguageClient | undefined;
// Starts and stops follow one another, so that two restarts at once do not leave two servers.
let last: Promise<void> = Promise.resolve();

function serverOptions(): ServerOptions {
  const folder = workspace.workspaceFolders?.[0]?.uri.fsPath ?? "";
  const words = workspace.getConfiguration("vllmMigrate").get<string[]>("command") ?? [];
  const [command = "vllm-migrate", ...args] = words.map((word) => word.replaceAll("${workspaceFolder}", folder));
  return { command, args };
}

function clientOptions(): LanguageClientOptions {
  return { documentSelector: LANGUAGES.map((language) => ({ scheme: "file", language })) };
}

function restart(): Promise<void> {
  last = last.then(start, start);
  return last;
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
    commands.registerCommand("vllmMigrate.restart", restart),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("vllmMigrate.command")) {
        void restart();
      }
    }),
  );
  await restart();
}

export async function deactivate(): Promise<void> {
  await last.catch(() => undefined);
  await client?.stop();
}
