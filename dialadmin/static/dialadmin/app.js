// Comfort only: every page works without this file.
(function () {
  "use strict";

  function enhance(root) {
    root.querySelectorAll("[data-copy]").forEach(function (button) {
      button.hidden = false;
    });
    root.querySelectorAll("[data-theme-form]").forEach(function (form) {
      form.querySelector("button").hidden = true;
      form.querySelector("select").addEventListener("change", function () {
        form.requestSubmit();
      });
    });
  }

  function announce(text) {
    const region = document.getElementById("messages");
    if (!region) return;
    const note = document.createElement("div");
    note.className = "visually-hidden";
    note.textContent = text;
    region.append(note);
    setTimeout(function () { note.remove(); }, 4000);
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(button.dataset.copy).then(function () {
      button.classList.add("done");
      announce("Copied " + button.dataset.copy);
      setTimeout(function () { button.classList.remove("done"); }, 1500);
    });
  });

  // Who types a number means it: the choice that the numbers belong to is taken.
  document.addEventListener("input", function (event) {
    const group = event.target.closest("[data-selects]");
    if (!group) return;
    const choice = event.target.form.querySelector('input[type="radio"][value="' + group.dataset.selects + '"]');
    if (choice) choice.checked = true;
  });

  // "/" puts the cursor into the search of the page, unless somebody is typing.
  document.addEventListener("keydown", function (event) {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const search = document.querySelector('[data-shortcut="/"]');
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  // A second click on a form that is on its way does nothing.
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "true";
    const button = event.submitter;
    if (button && button.dataset.busy) {
      button.setAttribute("aria-busy", "true");
      button.textContent = button.dataset.busy;
    }
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach(function (form) { delete form.dataset.sent; });
  });

  // On a narrow screen the menu starts closed.
  const menu = document.querySelector("details.menu");
  if (menu && window.matchMedia("(max-width: 60rem)").matches) menu.open = false;

  enhance(document);
  document.addEventListener("htmx:load", function (event) { enhance(event.detail.elt); });
})();
