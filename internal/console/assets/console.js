// What the pages can do without: "/" goes to the search, and a page that changes loads itself again.
"use strict";

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.getElementById("q");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
});

const every = Number(document.body.dataset.live);
if (every > 0) {
  const busy = () => document.hidden || document.querySelector("main :focus, main details[open]");
  const refresh = async () => {
    if (!busy()) {
      try {
        const response = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
        if (response.ok) {
          const page = new DOMParser().parseFromString(await response.text(), "text/html");
          if (!busy()) {
            document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
            document.querySelector("footer").classList.remove("stale");
          }
        } else if (response.type === "opaqueredirect") {
          location.reload();
          return;
        }
      } catch {
        document.querySelector("footer").classList.add("stale");
      }
    }
    setTimeout(refresh, every);
  };
  setTimeout(refresh, every);
}
