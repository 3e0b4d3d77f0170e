const audio = document.querySelector("audio");
const bar = document.querySelector(".strip progress");
document.querySelectorAll("[data-at]").forEach((button) => {
  button.addEventListener("click", () => { audio.currentTime = Number(button.dataset.at); audio.play(); });
});
if (bar) audio.addEventListener("timeupdate", () => { bar.value = audio.currentTime; });
document.querySelectorAll("[data-grow]").forEach((part) => { part.style.flex = part.dataset.grow + " 1 0"; });
document.querySelectorAll("audio").forEach((one, at, all) => {
  one.addEventListener("play", () => all.forEach((other) => { if (other !== one) other.pause(); }));
});
