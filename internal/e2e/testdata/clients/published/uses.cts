import recarga = require("recarga");

const client: recarga.Client = new recarga.Client("https://recarga.example", "key");
client.get("ORD-1").then((order: recarga.OrderDetails) => console.log(order.events[0]?.tries.length));
