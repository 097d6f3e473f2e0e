import * as all from "recarga";
import { Client, Webhook } from "recarga";
new Client("https://recarga.example", "key");
console.log(Object.keys(all).filter((name) => /^[A-Z]/.test(name)).sort().join(), typeof Webhook);
