// What the page shows, and where it leads.
"use strict";

const HOME = "/";

function showName(element, name) {
  element.textContent = name;
}

function showComments(list, comments, document) {
  list.replaceChildren();
  for (const comment of comments) {
    const item = document.createElement("li");
    item.textContent = comment.text;
    list.append(item);
  }
}

function target(wanted) {
  // only paths of this site: a second slash would begin a host
  return /^\/(?![\/\\])/.test(wanted) ? wanted : HOME;
}

function merge(into, from) {
  for (const key of Object.keys(from)) {
    if (key === "__proto__" || key === "constructor" || key === "prototype") {
      continue;
    }
    if (from[key] && typeof from[key] === "object") {
      into[key] = merge(into[key] ?? {}, from[key]);
    } else {
      into[key] = from[key];
    }
  }
  return into;
}

module.exports = { showName, showComments, target, merge };
