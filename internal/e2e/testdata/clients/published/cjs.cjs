const all = require("recarga");
const { Client, Webhook } = all;
new Client("https://recarga.example", "key");
console.log(Object.keys(all).sort().join(), typeof Webhook);
