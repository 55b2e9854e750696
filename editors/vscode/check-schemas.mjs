// Compiles every schema on standard input (a JSON object, by name) with ajv's strict mode; prints what it refuses.

import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";

const schemas = JSON.parse(readFileSync(0, "utf-8"));
let refused = 0;
for (const [name, schema] of Object.entries(schemas)) {
  try {
    new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false }).compile(schema);
  } catch (error) {
    refused += 1;
    console.log(`${name}: ${error.message}`);
  }
}
console.log(`${Object.keys(schemas).length - refused} of ${Object.keys(schemas).length} schemas compiled`);
process.exitCode = refused ? 1 : 0;
