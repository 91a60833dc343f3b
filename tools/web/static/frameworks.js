// Tabs that choose the framework, on this page and on all others.
(function () {
  "use strict";
  var root = document.documentElement, KEY = "d2lcv-framework";

  function mark() {
    document.querySelectorAll("[data-choose]").forEach(function (tab) {
      var on = tab.dataset.choose === root.dataset.framework;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
    });
  }

  // What stays where it is on the screen while outputs change their heights: the tab
  // that was clicked, or for the bar, which stays anyway, the text that is read.
  function anchor(tab) {
    var bar = tab.closest(".bar");
    if (!bar || window.scrollY < 200) return bar ? null : tab;
    var from = bar.getBoundingClientRect().bottom;
    var blocks = document.querySelectorAll("article section > :not(section):not(.output)");
    return Array.from(blocks).find(function (block) {
      return block.getBoundingClientRect().top >= from;
    });
  }

  function choose(name, tab) {
    var choice = document.querySelector("[data-beside]"), last = root.dataset.framework;
    keepStill(tab && anchor(tab), function () {
      root.dataset.framework = name;
      mark();
      // The one that was beside is chosen: the two change places
      if (choice) putBeside(choice.value === name ? last : choice.value);
    });
  }

  function keepStill(still, change) {
    var before = still && still.getBoundingClientRect().top;
    change();
    if (!still) return;
    var moved = still.getBoundingClientRect().top - before;
    window.scrollBy({ top: moved, behavior: "instant" });
  }

  function keep(name) {
    try { localStorage.setItem(KEY, name); } catch (error) { /* not remembered */ }
  }

  document.addEventListener("click", function (event) {
    var tab = event.target.closest("[data-choose]");
    if (!tab) return;
    choose(tab.dataset.choose, tab);
    keep(tab.dataset.choose);
  });

  document.addEventListener("keydown", function (event) {
    var step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    var tab = event.target.closest && event.target.closest("[data-choose]");
    if (!tab || !step) return;
    var tabs = Array.from(tab.parentElement.children);
    var next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.click();
    next.focus();
    event.preventDefault();
  });

  // Chosen in another window of the browser
  window.addEventListener("storage", function (event) {
    var known = document.querySelector('[data-choose="' + event.newValue + '"]');
    if (event.key === KEY && known) choose(event.newValue);
  });

  // A second framework beside the chosen one, wherever code is shown in tabs
  function putBeside(name) {
    document.querySelectorAll("[data-beside]").forEach(function (choice) {
      choice.value = name;
      Array.from(choice.options).forEach(function (option) {
        option.disabled = option.value === root.dataset.framework;
      });
      choice.options[0].text = name ? "one alone" : "side by side with …";
      var box = choice.closest(".output"), two = false;
      box.querySelectorAll("[data-for]").forEach(function (panel) {
        var names = panel.dataset.for.split(" ");
        var beside = names.indexOf(name) >= 0 && names.indexOf(root.dataset.framework) < 0;
        panel.classList.toggle("beside", beside);
        two = two || beside;
      });
      box.classList.toggle("two", two);
    });
  }

  document.addEventListener("change", function (event) {
    var choice = event.target;
    if (!choice.matches("[data-beside]")) return;
    keepStill(choice, function () { putBeside(choice.value); });
  });

  // What is unfolded in one framework is unfolded in all: tabs and pairs show it, too
  document.addEventListener("toggle", function (event) {
    var box = event.target.closest(".output.code");
    if (!box) return;
    box.querySelectorAll("details.source").forEach(function (fold) {
      var same = fold.firstChild.textContent === event.target.firstChild.textContent;
      if (same) fold.open = event.target.open;
    });
  }, true);

  mark();
  putBeside("");

  // On the search page: results are introduced by the text, not by tabs and outputs
  if (typeof Search !== "undefined") {
    var plain = Search.htmlToText;
    Search.htmlToText = function (text, anchor) {
      var page = new DOMParser().parseFromString(text, "text/html");
      page.querySelectorAll(".frameworks, .run, .output").forEach(function (part) {
        part.remove();
      });
      return plain(page.documentElement.outerHTML, anchor);
    };
  }
})();
