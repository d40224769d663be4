// Comfort only: every page works without this file.
(function () {
  "use strict";

  function enhance(root) {
    root.querySelectorAll("[data-check-all]").forEach(function (box) {
      box.hidden = false;
    });
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

  // Keys without a modifier can be switched off: who dictates, or hits keys by accident, needs that.
  const OFF = "dialadmin-single-keys-off";
  function singleKeys(event) {
    return !localStorage.getItem(OFF) && !event.ctrlKey && !event.metaKey && !event.altKey;
  }
  const shortcuts = document.getElementById("shortcuts");
  if (shortcuts) {
    const box = shortcuts.querySelector("[data-single-keys]");
    box.checked = !localStorage.getItem(OFF);
    box.addEventListener("change", function () {
      if (box.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "yes");
    });
    document.querySelectorAll("[data-shortcuts-open]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () { shortcuts.showModal(); });
    });
    document.addEventListener("keydown", function (event) {
      if (event.key !== "?" || !singleKeys(event) || document.querySelector("dialog[open]")) return;
      if (event.target.closest("input, textarea, select, [contenteditable]")) return;
      event.preventDefault();
      shortcuts.showModal();
    });
  }

  // "/" and Ctrl-K open the search from everywhere; "/" not while somebody is typing.
  const finder = document.getElementById("finder");
  if (finder) {
    const query = finder.querySelector("input");
    const results = document.getElementById("finder-results");

    const open = function () {
      if (shortcuts.open) shortcuts.close();
      if (!finder.open) finder.showModal();
      query.select();
    };
    const links = function () { return Array.from(results.querySelectorAll("[data-found]")); };

    document.addEventListener("keydown", function (event) {
      const command = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
      const typing = event.target.closest("input, textarea, select, [contenteditable]");
      const slash = event.key === "/" && singleKeys(event) && !typing;
      if (!command && !slash) return;
      event.preventDefault();
      open();
    });
    document.addEventListener("click", function (event) {
      if (!event.target.closest("[data-finder-open]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open();
    });
    finder.addEventListener("click", function (event) {
      if (event.target === finder) finder.close(); // a click beside it
    });
    finder.addEventListener("keydown", function (event) {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const all = [query].concat(links());
      const at = all.indexOf(document.activeElement);
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
      all[Math.min(Math.max(next, 0), all.length - 1)].focus();
    });
    // Enter opens the best hit, once the hits are those of what stands in the field.
    let waiting = false;
    const openBest = function () {
      const best = links()[0];
      if (best) window.location.assign(best.href);
    };
    finder.addEventListener("submit", function (event) {
      if (!query.value.trim()) { event.preventDefault(); return; }
      if (results.dataset.of === query.value) {
        if (links().length) { event.preventDefault(); openBest(); }
        return;
      }
      event.preventDefault();
      waiting = true;
    });
    document.addEventListener("htmx:afterSwap", function (event) {
      if (event.detail.target !== results) return;
      results.dataset.of = event.detail.requestConfig.parameters.get ? event.detail.requestConfig.parameters.get("q") : event.detail.requestConfig.parameters.q;
      if (waiting && results.dataset.of === query.value) {
        waiting = false;
        openBest();
      }
    });
    finder.addEventListener("close", function () { waiting = false; });
  }

  // "Line 7" puts the cursor on line 7 of the text that it speaks of.
  document.addEventListener("click", function (event) {
    const link = event.target.closest("[data-line]");
    const area = link && document.querySelector(link.getAttribute("href"));
    if (!area) return;
    event.preventDefault();
    const lines = area.value.split("\n");
    const before = lines.slice(0, link.dataset.line - 1).join("\n").length;
    area.focus();
    area.setSelectionRange(before ? before + 1 : 0, before + 1 + lines[link.dataset.line - 1].length);
    area.scrollTop = area.scrollHeight * (link.dataset.line - 3) / lines.length;
  });

  // The box in the head of a table ticks all boxes of its column.
  document.addEventListener("change", function (event) {
    const all = event.target.closest("[data-check-all]");
    if (!all) return;
    all.closest("table").querySelectorAll('input[name="' + all.dataset.checkAll + '"]').forEach(function (box) {
      box.checked = all.checked;
    });
  });

  // "u" presses the Undo of the last message; where there is none, the first of the page: its newest change that can be
  // undone, or the button that does it. A key that is held down does it once.
  document.addEventListener("keydown", function (event) {
    if (event.key !== "u" || event.repeat || !singleKeys(event) || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const said = document.querySelectorAll("#messages [data-undo]");
    const undo = said.length ? said[said.length - 1] : document.querySelector("#main [data-undo]");
    if (undo) undo.click();
  });

  // The matrix is one stop of the Tab key; arrows move within it.
  const matrix = document.querySelector("[data-matrix]");
  const panel = document.getElementById("cell");
  if (matrix) {
    const cells = Array.from(matrix.querySelectorAll("tbody tr[data-deployment]")).map(function (row) {
      return Array.from(row.querySelectorAll(".cell"));
    });
    const says = document.querySelector("[data-matrix-says]");
    const hint = document.querySelector("[data-keys-hint]");
    let current = null;
    hint.hidden = !!localStorage.getItem(OFF);
    const hinted = Array.from(says.childNodes);
    const say = function (cell) {
      if (cell) says.textContent = cell.getAttribute("aria-label");
      else says.replaceChildren.apply(says, hinted);
    };
    const choose = function (cell) {
      if (current) { current.tabIndex = -1; current.classList.remove("current"); }
      current = cell;
      cell.tabIndex = 0;
    };
    cells.forEach(function (row) { row.forEach(function (cell) { cell.tabIndex = -1; }); });
    const linked = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const opened = panel.querySelector("[data-cell-heading]");
    const asked = linked || (opened && document.getElementById(opened.dataset.cellHeading));
    choose(asked && matrix.contains(asked) ? asked : cells[0][0]);
    if (linked && matrix.contains(linked)) linked.focus();

    matrix.addEventListener("focusin", function (event) {
      const cell = event.target.closest(".cell");
      if (cell) { choose(cell); say(cell); }
    });
    matrix.addEventListener("focusout", function () { say(null); });
    matrix.addEventListener("pointerover", function (event) { const cell = event.target.closest(".cell"); if (cell) say(cell); });
    matrix.addEventListener("pointerleave", function () { say(null); });

    const toggle = document.getElementById("toggle");
    matrix.addEventListener("keydown", function (event) {
      const cell = event.target.closest(".cell");
      if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
      const row = cells.findIndex(function (some) { return some.includes(cell); });
      const column = cells[row].indexOf(cell);
      const to = { ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], Home: [row, 0], End: [row, cells[row].length - 1], PageUp: [Math.max(row - 10, 0), column], PageDown: [Math.min(row + 10, cells.length - 1), column] }[event.key];
      if (to) {
        event.preventDefault();
        if (cells[to[0]] && cells[to[0]][to[1]]) cells[to[0]][to[1]].focus();
      } else if (event.key === " ") {
        event.preventDefault();
        if (!toggle || toggle.dataset.sent) return;
        const deployment = cell.closest("tr").dataset.deployment;
        const action = "attached" in cell.dataset ? matrix.dataset.detach : matrix.dataset.attach;
        toggle.action = action.replace("/0/", "/" + deployment + "/");
        toggle.elements.role.value = matrix.querySelectorAll("thead [data-role]")[column].dataset.role;
        toggle.elements.next.value = toggle.elements.next.value.split("#")[0] + "#" + cell.id;
        toggle.requestSubmit();
      }
    });

    // A cell opens beside the matrix, and closes to where one was.
    const close = function () {
      const was = current;
      history.replaceState(null, "", panel.querySelector("[data-cell-close]").getAttribute("href"));
      panel.replaceChildren();
      was.focus();
      was.classList.remove("current");
    };
    document.addEventListener("htmx:afterSwap", function (event) {
      if (event.detail.target !== panel) return;
      panel.scrollTop = 0;
      const heading = panel.querySelector("[data-cell-heading]");
      if (!heading) return;
      heading.focus();
      current.classList.add("current");
      const covered = current.getBoundingClientRect().right - panel.getBoundingClientRect().left + 8;
      if (covered > 0) matrix.parentElement.scrollLeft += covered;
    });
    panel.addEventListener("click", function (event) {
      if (!event.target.closest("[data-cell-close]")) return;
      event.preventDefault();
      close();
    });
    document.addEventListener("keydown", function (event) {
      if (event.key !== "Escape" || document.querySelector("dialog[open]") || !panel.querySelector("[data-cell-close]")) return;
      event.preventDefault();
      close();
    });
  }

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
