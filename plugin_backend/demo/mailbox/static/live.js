// Looks for new mail without taking the page away from who reads it; without JavaScript the link does the same.
"use strict";
setInterval(async () => {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer || !answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const before = document.getElementById("list");
  const now = page.getElementById("list");
  if (before.innerHTML === now.innerHTML) return;
  const added = Number(now.dataset.count) - Number(before.dataset.count);
  // Who stands in the list with the keyboard would lose the place: it is told, and the list stays as it is.
  if (!before.contains(document.activeElement)) before.replaceWith(now);
  document.getElementById("news").textContent = added > 0 ? `${added} new` : "";
}, 2000);
