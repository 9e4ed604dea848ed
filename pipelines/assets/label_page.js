"use strict";
for (const slider of document.querySelectorAll(".frame input")) {
  const frame = slider.closest(".frame");
  slider.addEventListener("input", () => frame.style.setProperty("--at", `${slider.value}%`));
}
