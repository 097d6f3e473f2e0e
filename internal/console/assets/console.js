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
  const follows = usual.replace(/every.*/, "when something changes");
  let stream = null, heard = false, asked = Date.now();
  // Nobody's focus, selection or choice is taken away: the page waits, and says so.
  const busy = () => document.hidden || document.querySelector("main :focus, main details[open], main input:checked") ||
    !getSelection().isCollapsed;
  const say = (text) => {
    if (live.textContent !== text) {
      live.textContent = text;
    }
    live.classList.toggle("stale", text !== usual && text !== follows);
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
      say(heard ? follows : usual);
    } catch {
      say("does not update: no answer, trying again");
    }
  };
  // One connection: the page hears that something has changed, and asks. Without it, it asks every few seconds; with
  // it, seldom, for what was not heard of. Hidden pages have none: a browser has few connections to one server.
  const follow = () => {
    if (stream || document.hidden || !window.EventSource) {
      return;
    }
    stream = new EventSource(document.body.dataset.follow);
    stream.onopen = () => { heard = true; say(follows); };
    stream.onerror = () => {
      heard = false;
      say(usual);
      if (stream.readyState === EventSource.CLOSED) { // refused: try again in a while
        stream = null;
        setTimeout(follow, 10 * every);
      }
    };
    stream.addEventListener("changed", () => { asked = 0; });
    stream.addEventListener("ended", () => location.reload());
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && stream) {
      stream.close();
      stream = null;
      heard = false;
    }
    follow();
  });
  const loop = async () => {
    if (busy()) {
      say("waits while you are at it");
    } else if (Date.now() - asked >= (heard ? 5 * every : every)) {
      asked = Date.now();
      await refresh();
    }
    setTimeout(loop, 1000);
  };
  follow();
  loop();
}
