// What htmx leaves open about live figures. Every page works without this file and without htmx.
"use strict";

(() => {
  const notice = document.getElementById("stale");
  const region = () => document.getElementById("live");

  // Old figures that look live would be believed.
  const lost = () => {
    if (!notice || !notice.hidden) return;
    const at = new Date().toTimeString().slice(0, 8);
    notice.textContent = "Not live: no answer since " + at + " (this computer’s clock). The figures below are from before.";
    notice.hidden = false;
    document.body.classList.add("is-stale");
  };
  const back = () => {
    if (!notice || notice.hidden) return;
    notice.hidden = true;
    notice.textContent = "";
    document.body.classList.remove("is-stale");
  };
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.body.addEventListener(name, lost);
  }
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status !== 200) return;
    back();
    // Somebody who is selecting a run's name to copy it keeps the selection; the next second brings the figures.
    const chosen = document.getSelection();
    const live = region();
    if (chosen && !chosen.isCollapsed && live && live.contains(chosen.anchorNode)) event.detail.shouldSwap = false;
  });

  // A page that nobody sees asks nothing of the database.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden) event.preventDefault();
  });

  // Only with JavaScript do the figures move by themselves.
  document.documentElement.classList.add("is-live");
})();
