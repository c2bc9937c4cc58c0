"use strict";

const form = document.getElementById("form");
const result = document.getElementById("result");
const ask = document.getElementById("ask");
const fields = [...form.querySelectorAll(".field")];
// Files by field: chosen, dropped or recorded.
const files = new Map();

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

// --- Files -------------------------------------------------------------------

// The model reads WAV: any sound that the browser plays becomes one.
async function toWav(blob) {
  const context = new (window.AudioContext || window.webkitAudioContext)();
  const sound = await context.decodeAudioData(await blob.arrayBuffer());
  await context.close();
  const channels = sound.numberOfChannels;
  const size = sound.length * channels * 2;
  const view = new DataView(new ArrayBuffer(44 + size));
  const words = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  words(0, "RIFF"); view.setUint32(4, 36 + size, true); words(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, channels, true);
  view.setUint32(24, sound.sampleRate, true);
  view.setUint32(28, sound.sampleRate * channels * 2, true);
  view.setUint16(32, channels * 2, true); view.setUint16(34, 16, true);
  words(36, "data"); view.setUint32(40, size, true);
  const data = [...Array(channels).keys()].map((c) => sound.getChannelData(c));
  for (let i = 0, at = 44; i < sound.length; i++) {
    for (let c = 0; c < channels; c++, at += 2) {
      const value = Math.max(-1, Math.min(1, data[c][i]));
      view.setInt16(at, value < 0 ? value * 32768 : value * 32767, true);
    }
  }
  return new Blob([view], {type: "audio/wav"});
}

// The model reads JPEG, PNG, GIF and BMP: any other picture becomes a PNG.
async function toPng(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

async function convert(blob, modality) {
  const type = blob.type;
  if (modality === "audio" && !["audio/wav", "audio/x-wav"].includes(type)) return toWav(blob);
  const known = ["image/jpeg", "image/png", "image/gif", "image/bmp"];
  if (modality === "image" && !known.includes(type)) return toPng(blob);
  return blob;
}

async function take(field, blob) {
  const {modality, name} = field.dataset;
  const preview = field.querySelector(".preview");
  showError(field, "");
  preview.replaceChildren();
  try {
    blob = await convert(blob, modality);
  } catch {
    // The server says what it makes of it.
  }
  files.set(field, blob);
  field.querySelector(".remove").hidden = false;
  field.querySelector(".hint").textContent = `${blob.name || modality}, ${Math.ceil(blob.size / 1000)} kB`;
  if (modality === "image" || modality === "audio") {
    const shown = element(modality === "image" ? "img" : "audio");
    shown.src = URL.createObjectURL(blob);
    if (modality === "image") shown.alt = `Preview of ${name}`;
    else { shown.controls = true; shown.setAttribute("aria-label", `Preview of ${name}`); }
    preview.append(shown);
  }
}

function remove(field) {
  files.delete(field);
  field.querySelector("input").value = "";
  field.querySelector(".preview").replaceChildren();
  field.querySelector(".remove").hidden = true;
  field.querySelector(".hint").textContent = "Choose a file, or drop one.";
}

let recorder = null;
async function record(field, button) {
  if (recorder) return recorder.stop();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({audio: true});
  } catch {
    return showError(field, "There is no microphone, or the page may not use it.");
  }
  const parts = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    recorder = null;
    stream.getTracks().forEach((track) => track.stop());
    button.textContent = "Record";
    button.setAttribute("aria-pressed", "false");
    take(field, new Blob(parts, {type: parts[0] ? parts[0].type : ""}));
  };
  recorder.start();
  button.textContent = "Stop";
  button.setAttribute("aria-pressed", "true");
}

for (const field of fields.filter((one) => one.querySelector(".drop"))) {
  const drop = field.querySelector(".drop");
  field.querySelector("input").addEventListener("change", (event) => {
    if (event.target.files[0]) take(field, event.target.files[0]);
  });
  field.querySelector(".remove").addEventListener("click", () => {
    remove(field);
    field.querySelector("input").focus();
  });
  const button = field.querySelector(".record");
  if (button) button.addEventListener("click", () => record(field, button));
  for (const kind of ["dragover", "dragenter"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(field, event.dataTransfer.files[0]);
  });
}
// A file that misses its field does not replace the page.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => event.preventDefault());
}

// --- Asking ------------------------------------------------------------------

function showError(field, message) {
  const input = field.querySelector("input, textarea");
  field.querySelector(".error").textContent = message;
  if (message) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

form.addEventListener("reset", () => {
  fields.forEach((field) => {
    showError(field, "");
    if (field.querySelector(".drop")) remove(field);
  });
  result.replaceChildren(element("p", "The answer comes here.", "hint"));
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new FormData();
  for (const field of fields) {
    showError(field, "");
    const {name} = field.dataset;
    if (files.has(field)) body.append(name, files.get(field), "file");
    else if (!field.querySelector(".drop")) body.append(name, field.querySelector("input, textarea").value);
  }
  ask.disabled = true;
  try {
    const answer = await fetch("predict?explain=1", {method: "POST", body});
    const content = await answer.json();
    if (answer.ok) show(content.rows[0]);
    else fail(content.detail);
  } catch {
    fail([{loc: [], msg: "The server does not answer."}]);
  }
  ask.disabled = false;
});

function fail(errors) {
  result.replaceChildren();
  let first = null;
  for (const error of errors) {
    const name = error.loc[error.loc.length - 1];
    const field = fields.find((one) => one.dataset.name === name);
    if (field) { showError(field, error.msg); first = first || field; }
    else result.append(element("p", error.msg, "error"));
  }
  if (first) first.querySelector("input, textarea").focus();
  else result.focus();
}

// --- The answer --------------------------------------------------------------

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const signed = (value, isShare) =>
  (value < 0 ? "\u2212" : "+") + (isShare ? percent(Math.abs(value)) : Number(Math.abs(value).toPrecision(4)));

// Rows of a name, a bar and a number. The bar says nothing that the number does not.
function bars(caption, rows) {
  const table = element("table");
  table.setAttribute("aria-label", caption);
  const largest = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-9);
  for (const [name, value, text, share] of rows) {
    const row = element("tr");
    const head = element("th", name);
    head.scope = "row";
    const cell = element("td");
    cell.setAttribute("aria-hidden", "true");
    const track = element("div", undefined, "track");
    const bar = element("div", undefined, value < 0 ? "bar less" : "bar");
    bar.style.width = `${100 * (share ? Math.abs(value) : Math.abs(value) / largest)}%`;
    track.append(bar);
    cell.append(track);
    row.append(head, cell, element("td", text, "number"));
    table.append(row);
  }
  return table;
}

function show(row) {
  result.replaceChildren();
  if (!row.answered) {
    result.append(element("p", "No part can be read, so there is no answer.", "error"));
  }
  for (const [name, given] of row.answered ? Object.entries(row.answers) : []) {
    result.append(element("h2", name));
    if (given.answer !== undefined) {
      const value = typeof given.answer === "number" ? Number(given.answer.toPrecision(6)) : given.answer;
      result.append(element("p", String(value), "answer"));
    }
    if (given.probability != null) {
      result.append(element("p", `Probability ${percent(given.probability)}`, "hint"));
    }
    for (const [kind, value] of Object.entries(given)) {
      if (typeof value === "number" && !["answer", "probability"].includes(kind)) {
        result.append(element("p", `${kind}: ${Number(value.toPrecision(6))}`, "hint"));
      }
    }
    if (given.probabilities) {
      const listed = Object.entries(given.probabilities);
      result.append(element("h2", "Most probable"));
      result.append(bars("Most probable", listed.map(([label, share]) => [label, share, percent(share), true])));
    }
    const brought = Object.entries((row.brought || {})[name] || {});
    if (brought.length) {
      const isShare = Boolean(given.probabilities);
      result.append(element("h2", "What each part brought"));
      result.append(bars("What each part brought", brought.map(([part, value]) => [part, value, signed(value, isShare), isShare])));
      const unit = isShare ? "probability of this answer" : "answer";
      result.append(element("p", `How the ${unit} changes with the part, compared to the row without it.`, "hint"));
    }
  }
  const odd = Object.entries(row.status).filter(([, status]) => !["ok", "absent"].includes(status));
  for (const [name, status] of odd) {
    const words = status === "partial" ? "has cells that cannot be read" : "cannot be read, and counts as absent";
    result.append(element("p", `${name} ${words}.`, "error"));
  }
  // `aria-live` reads it; on a narrow screen it is below the form.
  if (matchMedia("(max-width: 48rem)").matches) result.scrollIntoView();
}
