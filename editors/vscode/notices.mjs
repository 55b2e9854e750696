// Collects the licences of what is bundled into out/NOTICES.txt.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const listed = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], { encoding: "utf-8" });
const parts = [];
for (const folder of listed.trim().split("\n").slice(1)) {
  const licence = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (!licence) {
    throw new Error(`${folder} has no licence`);
  }
  parts.push(`${basename(folder)}\n\n${readFileSync(join(folder, licence), "utf-8").trim()}\n`);
}
mkdirSync("out", { recursive: true });
writeFileSync("out/NOTICES.txt", parts.join(`\n${"-".repeat(80)}\n\n`));
