// Shows how a trial ended below its button, so that the form around it stays as it is.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-try]");
  if (!button) return;
  event.preventDefault();
  const place = document.getElementById(button.dataset.try);
  button.disabled = true;
  place.textContent = "Asking the source …";
  try {
    const answer = await fetch(button.formAction, { method: "POST", body: new FormData(button.form) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...page.getElementById("trial").children);
  } catch {
    place.textContent = "The console gave no answer. Reload the page, sign in where it asks for that, and try again.";
  }
  button.disabled = false;
  place.scrollIntoView();
});

// Copies what stands in the element that a button names, and says so in the button.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent.trim();
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without HTTPS a browser keeps the clipboard away from pages: select it for Ctrl-C instead.
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    button.textContent = "Press Ctrl-C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2500);
});

// "/" leads to the question at the top of the page, unless somebody is writing.
document.addEventListener("keydown", (event) => {
  const ask = document.getElementById("ask");
  const isWriting = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !ask || isWriting) return;
  event.preventDefault();
  ask.focus();
});

// A page is hidden until Alpine has come, and what is hidden takes no focus.
document.addEventListener("alpine:initialized", () => requestAnimationFrame(() => {
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
}));

// Prints the page.
document.addEventListener("click", (event) => {
  if (event.target.closest("button[data-print]")) window.print();
});

// Looks again at a page that waits for an answer.
document.addEventListener("DOMContentLoaded", () => {
  const waits = document.querySelector("[data-reload]");
  if (waits) setTimeout(() => location.reload(), 1000 * Number(waits.dataset.reload));
});

// What Unfold's and Django's widgets draw beside a field bears the name of the field.
addEventListener("load", () => setTimeout(() => { // some draw only then
  for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
    const label = select.labels[0]?.textContent.trim() || select.name;
    select.nextElementSibling?.querySelector("[role=searchbox]")?.setAttribute("aria-label", label);
  }
  for (const sign of document.querySelectorAll(".selector .help-tooltip")) sign.setAttribute("role", "img");
}));

// What is wider than its panel, in a narrow window, can be moved sideways with the keyboard too.
document.addEventListener("DOMContentLoaded", () => {
  const watch = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      if (target.scrollWidth > target.clientWidth && !target.querySelector("a, button, input")) target.tabIndex = 0;
    }
  });
  for (const panel of document.querySelectorAll(".panel")) watch.observe(panel);
});
