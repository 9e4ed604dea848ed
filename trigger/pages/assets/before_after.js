"use strict";
for (const compare of document.querySelectorAll(".compare")) {
  const slider = compare.querySelector("input");
  const reveal = () => compare.style.setProperty("--at", `${slider.value}%`);
  slider.addEventListener("input", reveal);
  reveal();
}
