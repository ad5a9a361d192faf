// Keeps parts of a page up to date: data-live has the address they are fetched from, data-live-every
// the seconds between two looks. The answer holds elements with ids; each takes the place of the one
// on the page, and what did not change is left alone, with the focus, the selection and the scroll.
(() => {
  "use strict";
  const TIMEOUT = 20_000;
  const places = [...document.querySelectorAll("[data-live]")].map((place) => ({
    place, every: 1000 * Number(place.dataset.liveEvery || 15), etag: "", timer: 0, fault: "",
  }));
  const sign = document.querySelector("[data-live-said]");
  const usual = sign?.querySelector("[data-live-words]").textContent;
  let lostAt = null;

  function say(state, text) {
    if (!sign) return;
    sign.dataset.live = state;
    const words = sign.querySelector("[data-live-words]");
    if (words.textContent !== text) words.textContent = text;
  }

  function sayHowItDoes() {
    const fault = places.map((one) => one.fault).find((one) => one) ?? "";
    lostAt = fault ? lostAt ?? new Date() : null;
    if (!fault) return say("on", usual);
    const clock = lostAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    say("lost", `Since ${clock} ${fault}. What you see there is from before; it is tried again.`);
  }

  // Who signed out, or was signed out, is asked for nothing more.
  function stop() {
    for (const one of places) clearTimeout(one.timer);
    places.length = 0;
    say("off", "You are signed out, so this page stands still. Reload it to sign in.");
  }

  // An element that has the focus may be replaced by its like: the same id, or the same link.
  function keyOf(element) {
    if (element.id) return `#${CSS.escape(element.id)}`;
    const link = element.getAttribute("href");
    return link ? `${element.localName}[href="${CSS.escape(link)}"]` : element.localName === "summary" ? "summary" : "";
  }

  function isBeingRead(part) {
    const chosen = getSelection();
    return !chosen.isCollapsed && part.contains(chosen.anchorNode);
  }

  function put(part, fresh) {
    const focused = part.contains(document.activeElement) ? keyOf(document.activeElement) : "";
    const isOpen = [...part.querySelectorAll("details")].map((one) => one.open);
    const scrolled = [...part.querySelectorAll("[id], [tabindex]")]
      .filter((one) => one.scrollLeft || one.scrollTop)
      .map((one) => [keyOf(one) || "[tabindex]", one.scrollLeft, one.scrollTop]);
    part.replaceChildren(...fresh.childNodes);
    part.querySelectorAll("details").forEach((one, place) => { one.open = isOpen[place] ?? false; });
    for (const [key, left, top] of scrolled) part.querySelector(key)?.scrollTo(left, top);
    if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
  }

  // Where a part is being read, it waits; the answer then counts as not seen.
  function take(text) {
    const answer = new DOMParser().parseFromString(text, "text/html");
    let isWhole = true;
    for (const fresh of answer.body.children) {
      const part = fresh.id && document.getElementById(fresh.id);
      if (!part || part.innerHTML === fresh.innerHTML) continue;
      if (isBeingRead(part)) isWhole = false;
      else put(part, document.adoptNode(fresh));
    }
    return isWhole;
  }

  async function look(one) {
    one.timer = -1; // under way: nobody is to begin another
    const headers = one.etag ? { "If-None-Match": one.etag } : {};
    try {
      const answer = await fetch(one.place.dataset.live, {
        headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(TIMEOUT),
      });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) return stop();
      if (answer.status === 200) one.etag = take(await answer.text()) ? answer.headers.get("ETag") ?? "" : "";
      const isGood = answer.status === 200 || answer.status === 304;
      one.fault = isGood ? "" : `a part of this page cannot be made (${answer.status}; the console's log says why)`;
    } catch {
      one.fault = "the console gives no answer";
    }
    if (!places.length) return;
    sayHowItDoes();
    one.timer = setTimeout(() => lookIfSeen(one), one.every);
  }

  // A page that nobody looks at asks for nothing; it catches up when it is looked at again.
  function lookIfSeen(one) {
    one.timer = 0;
    if (!document.hidden) look(one);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) for (const one of places) if (!one.timer) look(one);
  });
  for (const one of places) {
    const wait = "liveAtOnce" in one.place.dataset ? 0 : one.every;
    one.timer = setTimeout(() => lookIfSeen(one), wait);
  }
})();
