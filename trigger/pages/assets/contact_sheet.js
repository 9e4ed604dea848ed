"use strict";
const form = document.querySelector("form");
const list = document.querySelector(".photos");
const cards = [...list.children];
const orders = {
  best: (a, b) => b.dataset.score - a.dataset.score,
  worst: (a, b) => a.dataset.score - b.dataset.score,
  name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }),
};
function update() {
  const wanted = form.elements.show.value;
  for (const card of cards) {
    const alert = card.classList.contains("alert");
    card.hidden = (wanted === "alerts" && !alert) || (wanted === "rest" && alert);
  }
  list.append(...cards.sort(orders[form.elements.order.value]));
  const shown = cards.filter((card) => !card.hidden).length;
  form.querySelector("output").value = `${shown} of ${cards.length} shown`;
}
form.addEventListener("change", update);
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
update();
