// A module and a CommonJS file of one program share the classes: instanceof holds across them.
import { createRequire } from "node:module";
import { Client, ProblemError } from "recarga";
const required = createRequire(import.meta.url)("recarga");
console.log(required.Client === Client && required.ProblemError === ProblemError);
