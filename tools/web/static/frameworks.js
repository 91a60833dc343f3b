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

  // What is above a tab may change its height: the tab stays where it was clicked.
  function choose(name, tab) {
    var before = tab && tab.getBoundingClientRect().top;
    root.dataset.framework = name;
    mark();
    if (tab) window.scrollBy({ top: tab.getBoundingClientRect().top - before, behavior: "instant" });
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

  mark();
})();
