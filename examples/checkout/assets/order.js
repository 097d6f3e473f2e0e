// Shows each change of the order when it comes. A lost connection is made again by the browser.
const order = document.getElementById("order");
const news = new EventSource(`/orders/${order.dataset.id}/events`);

news.onmessage = ({ data }) => {
  const now = JSON.parse(data);
  order.className = `order ${now.state}`;
  for (const name of ["state", "headline", "text", "transaction", "auth_code"]) {
    document.getElementById(name).textContent = now[name]; // as text: nothing in it becomes markup
  }
  for (const line of document.querySelectorAll(".receipt")) line.hidden = !now.transaction;
  if (now.final) news.close();
};
