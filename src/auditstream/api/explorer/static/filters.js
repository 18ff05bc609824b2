// A form of filters leads to a URL with what was filled in alone.
"use strict";

function shortUrls(form) {
  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => {
      for (const kept of form.querySelectorAll(`[data-kept="${select.name}"]`)) kept.remove();
    });
  }
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
  // Back from the next page, the fields are wanted again.
  addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
  });
}

shortUrls(document.getElementById("filters"));
