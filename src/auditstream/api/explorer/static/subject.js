// Who reaches what, taken over from its own page once this one is there.
"use strict";

(async () => {
  const place = document.getElementById("access");
  try {
    const answer = await fetch(place.dataset.from);
    if (!answer.ok) throw new Error(answer.statusText);
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const section = document.importNode(parsed.getElementById("access"), true);
    place.replaceChildren(...section.childNodes);
  } catch {
    // The link to it stays.
  }
  place.setAttribute("aria-busy", "false");
})();
