"use strict";
for (const frame of document.querySelectorAll(".frame")) {
  const slider = frame.querySelector("input");
  const reveal = () => frame.style.setProperty("--at", `${slider.value}%`);
  slider.addEventListener("input", reveal);
  reveal();
}
