// What every page has: what a request said, times, copying, and confirmations. No inline code, no eval.
"use strict";
window.studio = {
  async api(method, address, body) {
    const answer = await fetch(address, {
      method, headers: body === undefined ? {} : {"content-type": "application/json"},
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const found = await answer.json().catch(() => ({error: `the studio answered ${answer.status}`, remedy: ""}));
    if (!answer.ok) throw new Error(found.remedy ? `${found.error} → ${found.remedy}` : found.error);
    return found;
  },
  say(text) {
    const place = document.getElementById("said");
    if (place) place.textContent = text;
  },
  element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "class") made.className = value; else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  },
  number(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    return Number.isInteger(value) ? value.toLocaleString("en") : size >= 1000 || size < 1e-3 ? value.toPrecision(4) : String(+value.toPrecision(4));
  },
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    studio.say("copied");
  } catch {
    const range = document.createRange();
    range.selectNodeContents(document.getElementById(button.dataset.copy));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    studio.say("selected; copy it with Ctrl+C");
  }
});
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.target.method === "post" && button && !event.target.hasAttribute("hx-post")) setTimeout(() => { button.disabled = true; }, 0);
});
// A server that is gone is said, and the page goes on when it is back.
let lost = false;
async function alive() {
  try {
    const answer = await fetch("/api/alive", {cache: "no-store"});
    if (answer.status === 401) return said("This studio was started anew with another token.", "Open the address that it printed.");
    if (lost) location.reload();
    lost = false;
  } catch {
    said("The studio has ended or cannot be reached.", "What was training goes on. Start gan studio again; this page then continues.");
  }
}
function said(cause, remedy) {
  lost = true;
  const place = document.getElementById("lost");
  place.hidden = false;
  place.replaceChildren(studio.element("b", {}, cause), ` ${remedy}`);
}
setInterval(() => { if (!document.hidden) alive(); }, 3000);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
document.addEventListener("htmx:error", () => alive());
