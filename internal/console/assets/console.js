// What the pages can do without: "/" goes to the search, ids are suggested while they are typed, values can be copied,
// and a page that changes loads itself again.
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

const search = document.getElementById("q");
if (search) {
  let waits;
  search.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(async () => {
      const text = search.value.trim();
      const response = text.length < 2 ? null :
        await fetch("/console/suggest?q=" + encodeURIComponent(text), { redirect: "manual" }).catch(() => null);
      if (text !== search.value.trim()) {
        return;
      }
      const ids = response && response.ok ? await response.json() : [];
      document.getElementById("suggested").replaceChildren(...ids.map((id) => new Option(id, id)));
    }, 150);
  });
}

const copyButtons = () => {
  for (const shown of document.querySelectorAll("[data-copy]:not(.copies)")) {
    const text = shown.textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy " + (text.length < 80 ? text : "it"));
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(shown.matches("pre") ? shown : shown.firstChild || shown);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    shown.classList.add("copies");
    shown.matches("pre") ? shown.before(button) : shown.append(button);
  }
};
copyButtons();

const every = Number(document.body.dataset.live);
if (every > 0) {
  const live = document.querySelector("footer .live");
  const usual = live.textContent;
  // Nobody's focus, selection or choice is taken away: the page waits, and says so.
  const busy = () => document.hidden || document.querySelector("main :focus, main details[open], main input:checked") ||
    !getSelection().isCollapsed;
  const say = (text) => {
    if (live.textContent !== text) {
      live.textContent = text;
    }
    live.classList.toggle("stale", text !== usual);
  };
  const refresh = async () => {
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (response.type === "opaqueredirect") {
        location.reload();
        return;
      }
      if (!response.ok) {
        say("does not update: answered with " + response.status + ", trying again");
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (busy()) {
        return;
      }
      document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
      copyButtons();
      say(usual);
    } catch {
      say("does not update: no answer, trying again");
    }
  };
  const loop = async () => {
    if (busy()) {
      say("waits while you are at it");
    } else {
      await refresh();
    }
    setTimeout(loop, every);
  };
  setTimeout(loop, every);
}
