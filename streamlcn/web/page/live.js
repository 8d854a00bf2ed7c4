// The live page: one stream of whole snapshots. Everything from the service is put in as text, never as HTML.
const $ = (id) => document.getElementById(id);
const STALE_S = 3, UNSURE_PX = 0.5;
let status = null, health = null, heardAt = performance.now(), skewS = 0;

const ENDED = ["complete", "partial", "failed"];
const isNumber = (v) => typeof v === "number" && Number.isFinite(v);
const percent = (v, digits = 2) => (isNumber(v) ? `${(100 * v).toFixed(digits)} %` : "–");
const seconds = (v) => (v < 100 ? `${v.toFixed(v < 10 ? 1 : 0)} s` : v < 7200 ? `${Math.round(v / 60)} min` : `${Math.round(v / 3600)} h`);
const brief = (v) => (v < 0.001 ? "< 1 ms" : v < 1 ? `${(1000 * v).toFixed(0)} ms` : seconds(v));
const nowS = () => Date.now() / 1000 + skewS;

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function badge(id, provisional) {
  const node = $(id);
  node.hidden = provisional === null;
  node.className = `badge ${provisional ? "provisional" : "final"}`;
  node.textContent = provisional ? "provisional" : "final";
}

// ---- one sentence -------------------------------------------------------------------------------------------
function sentence() {
  const silent = (performance.now() - heardAt) / 1000;
  if (silent > STALE_S) return ["bad", "✕", `STALE: the service has been silent for ${seconds(silent)}`];
  if (!status) return ["idle", "…", "Connecting"];
  const late = Object.entries((health && health.overdue_s) || {});
  if (late.length) return ["bad", "✕", `Stalled: ${late.map(([s, t]) => `${s} silent for ${seconds(t)}`).join(", ")}`];
  const scan = status.scan, missing = scan.missing ? `${scan.missing} missing` : "none missing";
  const said = { complete: complete, partial: partial, failed: () => ["bad", "✕", "This scan failed: see the warnings"] }[scan.phase];
  if (health && !health.ready && scan.phase !== "acquiring") {
    const lacking = [!health.subscribed && "not subscribed", !health.model_loaded && "model not loaded"].filter(Boolean);
    return ["warn", "!", `Not ready: ${lacking.join(", ")}`];
  }
  if (said) return said(scan);
  if (scan.phase === "waiting" || !scan.uid) return ["idle", "○", "Ready, waiting for a scan"];
  const tone = scan.missing ? "warn" : "good", sign = scan.missing ? "!" : "▶";
  const behind = isNumber(status.lag?.seconds) && status.lag.seconds >= 2 ? status.lag.seconds : 0;
  const lag = behind ? `, ${seconds(behind)} behind` : "";
  if (scan.phase === "acquiring") return [behind > 30 ? "warn" : tone, behind > 30 ? "!" : sign, `Scan running: ${scan.received}${scan.expected ? ` of ${scan.expected}` : ""} projections, ${missing}${lag}`];
  return [tone, sign, `Scan is in (${missing}); now ${scan.phase}`];
}
const porosityNow = (scan) => scan.morphometry?.values?.lcn?.porosity;
const own = (scan) => status.results.find((r) => r.uid === scan.uid) || {};
function complete(scan) {
  if (status.ood && status.ood.flag) return ["warn", "!", `Complete, but unlike the training data: do not trust the ${percent(porosityNow(scan))} yet`];
  if (scan.centre && scan.centre.stderr_pixels > UNSURE_PX) return ["warn", "!", `Complete, but the centre of rotation is known to ${scan.centre.stderr_pixels.toFixed(1)} px only: look at the slices`];
  const after = own(scan).seconds_after_last_projection;
  return ["good", "✓", `Complete: porosity ${percent(porosityNow(scan))}${isNumber(after) ? `, readable ${seconds(after)} after the last projection` : ""}`];
}
const partial = (scan) => ["warn", "!", `Partial: ${scan.received}${scan.expected ? ` of ${scan.expected}` : ""} projections; porosity ${percent(porosityNow(scan))}`];

function drawBanner() {
  const [tone, sign, text] = sentence();
  $("banner").dataset.tone = tone;
  $("sign").textContent = sign;
  if ($("sentence").textContent !== text) $("sentence").textContent = text;
  document.title = `${sign} ${text}`;
  if (!status) return;
  const scan = status.scan, share = scan.expected ? Math.min(1, scan.received / scan.expected) : 0;
  $("bar").firstElementChild.style.width = `${100 * share}%`;
  $("bar").setAttribute("aria-valuenow", Math.round(100 * share));
  const parts = [];
  if (scan.sample) parts.push(`sample ${scan.sample}`);
  if (scan.plan) parts.push(scan.plan);
  if (scan.uid) parts.push(`run ${scan.uid.slice(0, 8)}`);
  if (isNumber(scan.rate_hz) && scan.phase === "acquiring") {
    parts.push(`${scan.rate_hz.toFixed(1)} projections/s`);
    if (scan.expected && scan.rate_hz > 0) parts.push(`${seconds((scan.expected - scan.received) / scan.rate_hz)} to go`);
  }
  const start = scan.started_s || null;
  if (start) parts.push(ENDED.includes(scan.phase) && scan.ended_s ? `took ${seconds(Math.max(0, scan.ended_s - start))}` : `for ${seconds(Math.max(0, nowS() - start))}`);
  const last = status.ingest && status.ingest.last_document_s;
  if (last) parts.push(`last document ${seconds(Math.max(0, nowS() - last))} ago`);
  $("details").textContent = parts.join(" · ");
  drawChips();
}

function drawChips() {
  const chips = [], store = status.store, ingest = status.ingest;
  if (store && store.degraded) chips.push(["bad", "tiled is away: results wait here and are delivered later"]);
  if (store && store.spooled) chips.push(["warn", `${store.spooled} result${store.spooled > 1 ? "s" : ""} in the spool`]);
  if (ingest && !ingest.connected) chips.push(["bad", "not subscribed to documents"]);
  if (ingest && ingest.dropped) chips.push(["bad", `${ingest.dropped} documents lost: they came faster than they could be kept`]);
  if (ingest && ingest.rejected) chips.push(["warn", `${ingest.rejected} documents rejected`]);
  if (status.ood && status.ood.flag) chips.push(["bad", "unlike the training data: do not trust these numbers yet"]);
  $("chips").replaceChildren(...chips.map(([kind, text]) => make("span", text, kind)));
}

// ---- slices -------------------------------------------------------------------------------------------------
function drawSlices() {
  let provisional = null;
  for (const figure of document.querySelectorAll("figure[data-plane]")) {
    const plane = figure.dataset.plane, grey = status.pictures[`${plane}-reconstruction`], labels = status.pictures[`${plane}-labels`];
    show(figure.querySelector(".grey"), grey, `${plane} slice of the reconstruction`);
    // labels of the growing volume stay until there are newer ones; on the finished volume only its own are shown
    const fits = labels && (!grey || labels.provisional === grey.provisional);
    show(figure.querySelector(".labels"), fits ? labels : null, `labels of the ${plane} slice`);
    const said = [];
    if (grey && isNumber(grey.z)) said.push(`slice ${grey.z}`);
    if (grey && grey.provisional && isNumber(grey.received)) said.push(`from ${grey.received} projections`);
    if (fits && isNumber(labels.received) && labels.received !== grey?.received) said.push(`labels from ${labels.received}`);
    figure.querySelector("figcaption small").textContent = said.join(", ");
    figure.querySelector(".none").hidden = Boolean(grey || labels);
    const shown = grey || labels;
    figure.classList.toggle("provisional", Boolean(shown && shown.provisional));
    if (shown) provisional = provisional || shown.provisional;
  }
  badge("slice-badge", provisional);
  const first = status.pictures["xy-reconstruction"];
  if (first && first.provisional && first.received) $("slice-badge").textContent = `provisional, from ${first.received} projections`;
}
function show(image, picture, text) {
  image.hidden = !picture;
  if (!picture) return;
  image.alt = text;
  if (image.getAttribute("src") !== picture.url) image.src = picture.url;
}

// ---- numbers ------------------------------------------------------------------------------------------------
const VALUES = [
  ["lcn", "porosity_of_bone", "LCN over bone", percent],
  ["lcn", "volume_um3", "LCN volume", (v) => `${v.toLocaleString("en", { maximumSignificantDigits: 4 })} µm³`],
  ["lcn", "thickness_mean_um", "thickness, mean", (v) => `${v.toFixed(2)} µm`],
  ["lcn", "thickness_max_um", "thickness, largest", (v) => `${v.toFixed(2)} µm`],
  ["lacunae", "count", "lacunae", (v) => v.toLocaleString("en")],
  ["lacunae", "density_per_mm3", "lacunae per mm³", (v) => v.toLocaleString("en", { maximumSignificantDigits: 4 })],
];
function drawNumbers() {
  const scan = status.scan, known = scan.morphometry, value = porosityNow(scan), [low, high] = status.porosity_band;
  badge("porosity-badge", known ? known.provisional : null);
  $("porosity").textContent = percent(value);
  $("porosity").classList.toggle("is-provisional", Boolean(known && known.provisional));
  const sure = known && isNumber(known.porosity_low) ? `${known.provisional ? "" : "before cleaning "}between ${percent(known.porosity_low)} and ${percent(known.porosity_high)}; ` : "";
  $("porosity-note").textContent = isNumber(value) ? `${sure}${value < low ? "below" : value > high ? "above" : "within"} the ${percent(low, 0)} to ${percent(high, 0)} of the literature` : "";
  const rows = VALUES.filter(([part, key]) => isNumber(known?.values?.[part]?.[key]));
  $("values").replaceChildren(...rows.flatMap(([part, key, name, form]) => [make("dt", name), make("dd", form(known.values[part][key]))]));
  plot($("porosity-plot"), scan.porosity_history, scan.expected, [low, high], (v) => percent(v, 1));
  const centre = scan.centre;
  badge("centre-badge", centre ? centre.state !== "final" : null);
  const stderr = centre && isNumber(centre.stderr_pixels) ? ` ± ${centre.stderr_pixels.toFixed(2)}` : "";
  $("centre").textContent = centre && isNumber(centre.pixels) ? `${centre.pixels.toFixed(2)}${stderr} px` : "–";
  $("centre").classList.toggle("is-provisional", Boolean(centre && centre.state !== "final"));
  plot($("centre-plot"), scan.centre_history.map(([x, y]) => [x, y, scan.centre?.state !== "final"]), scan.expected, null, (v) => v.toFixed(1));
  const model = status.model, ood = status.ood, flag = $("ood-badge");
  $("model").textContent = model ? model.name : "not loaded";
  $("weights").textContent = model && model.sha256 ? `weights ${model.sha256.slice(0, 12)}` : "";
  $("ood").textContent = ood && isNumber(ood.score) ? `out-of-distribution score ${ood.score.toFixed(2)}; 1 is as unlike as the least typical training bone` : ood ? "this model cannot tell how unlike its training data a volume is" : "out-of-distribution score: comes with the volume";
  gauge($("ood-gauge"), ood);
  flag.hidden = !ood || (!ood.flag && !isNumber(ood.score));
  flag.className = `badge ${ood && ood.flag ? "bad" : "good"}`;
  flag.textContent = ood && ood.flag ? "unlike training data" : "like training data";
}

function drawing(svg) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number), nodes = [];
  const add = (tag, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    if (text) node.textContent = text;
    nodes.push(node);
  };
  return { width, height, nodes, add };
}

// how unlike the training data, from 0 to twice the least typical training bone
function gauge(svg, ood) {
  const score = ood && isNumber(ood.score) ? ood.score : null, { width, nodes, add } = drawing(svg);
  svg.toggleAttribute("hidden", score === null);
  if (score !== null) {
    const x = (v) => 4 + (width - 8) * (Math.max(0, Math.min(2, v)) / 2);
    add("rect", { class: "groove", x: 4, y: 6, width: width - 8, height: 10, rx: 5 });
    add("rect", { class: ood.flag ? "fill bad" : "fill", x: 4, y: 6, width: Math.max(5, x(score) - 4), height: 10, rx: 5 });
    add("line", { class: "tick", x1: x(1), x2: x(1), y1: 2, y2: 20 });
    for (const [v, anchor] of [[0, "start"], [1, "middle"], [2, "end"]]) add("text", { x: x(v), y: 31, "text-anchor": anchor }, v === 2 ? "2 or more" : String(v));
  }
  svg.replaceChildren(...nodes);
}

// points are [projections, value, is provisional, low, high]
function plot(svg, points, expected, band, form) {
  const { width, height, nodes, add } = drawing(svg), sure = points.filter((p) => isNumber(p[3]) && isNumber(p[4]));
  if (points.length) {
    const ys = points.map((p) => p[1]).concat(band || [], ...sure.map((p) => [p[3], p[4]]));
    let low = Math.min(...ys), high = Math.max(...ys);
    const room = (high - low || Math.abs(high) * 0.02 || 1) * 0.15;
    low -= room; high += room;
    const last = Math.max(expected || 0, ...points.map((p) => p[0]), 1), right = width - 40;
    const x = (v) => 4 + (right - 8) * (v / last), y = (v) => height - 6 - (height - 12) * ((v - low) / (high - low));
    if (band) {
      add("rect", { class: "band", x: 0, width: right, y: y(band[1]), height: y(band[0]) - y(band[1]) });
      for (const edge of band) add("text", { x: right + 4, y: y(edge) + 3 }, form(edge));
    } else {
      const value = points.at(-1)[1];
      add("text", { x: right + 4, y: y(value) + 3 }, form(value));
    }
    if (sure.length > 1) add("polygon", { class: "sure", points: [...sure.map((p) => [p[0], p[4]]), ...sure.map((p) => [p[0], p[3]]).reverse()].map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ") });
    for (const p of sure) add("line", { class: "bar", x1: x(p[0]), x2: x(p[0]), y1: y(p[3]), y2: y(p[4]) });
    add("polyline", { class: "path", points: points.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ") });
    const end = points.at(-1);
    add("circle", { class: end[2] === false ? "dot final" : "dot", cx: x(end[0]), cy: y(end[1]), r: 4 });
  }
  svg.toggleAttribute("hidden", !points.length);
  svg.replaceChildren(...nodes);
}

// ---- stages, results, warnings ------------------------------------------------------------------------------
function drawStages() {
  const late = (health && health.overdue_s) || {};
  document.querySelector("#stages ol").replaceChildren(...status.stages.map((stage) => {
    const item = make("li");
    const since = stage.busy_since_s, took = isNumber(since) ? nowS() - since : 0;
    item.className = stage.stage in late ? "late" : since ? "busy" : "";
    const state = stage.stage in late ? `silent for ${seconds(late[stage.stage])}` : since ? (took >= 2 ? `working for ${seconds(took)}` : "working") : "idle";
    item.append(make("b", stage.stage), make("span", isNumber(stage.share) ? `${state}, ${percent(stage.share, 0)} done` : state));
    if (isNumber(stage.seconds)) item.append(make("span", `last ${brief(stage.seconds)}`));
    if (stage.slowest_s > 2 * stage.seconds) item.append(make("span", `at most ${brief(stage.slowest_s)}`));
    if (stage.queue) item.append(make("span", `${stage.queue} wait`));
    if (stage.stage === "ingest" && status.lag?.documents) item.append(make("span", `${status.lag.documents} wait for the worker`));
    return item;
  }));
}

function drawDevices() {
  const part = (d) => (isNumber(d.gpu_memory_used_bytes) && d.gpu_memory_total_bytes ? ` ${(d.gpu_memory_used_bytes / 1e9).toFixed(1)} of ${(d.gpu_memory_total_bytes / 1e9).toFixed(0)} GB` : "") + (isNumber(d.gpu_utilization_ratio) ? `, ${percent(d.gpu_utilization_ratio, 0)} busy` : "");
  $("devices").textContent = Object.entries(status.devices).map(([gpu, d]) => `GPU ${gpu}:${part(d)}`).join(" · ");
}

function drawResults() {
  if (!status.results.length) return;
  document.querySelector("#results tbody").replaceChildren(...status.results.map((result) => {
    const row = make("tr"), link = make("td"), after = result.seconds_after_last_projection;
    if (result.uri && /^https?:\/\//.test(result.uri)) {
      const anchor = make("a", "tiled");
      anchor.href = result.uri; anchor.target = "_blank"; anchor.rel = "noopener";
      link.append(anchor);
    } else link.textContent = result.status === "failed" ? "–" : "in the spool";
    const flags = (result.flags || []).length;
    row.append(
      make("td", result.sample ? `${result.sample} · ${result.uid.slice(0, 8)}` : result.uid.slice(0, 8)),
      make("td", flags ? `${result.status}, ${flags} note${flags > 1 ? "s" : ""}` : result.status, result.status),
      make("td", percent(result.porosity)), make("td", percent(result.completeness, 1)),
      make("td", isNumber(after) ? seconds(after) : "–"),
      make("td", new Date(1000 * result.at_s).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })), link);
    row.title = (result.flags || []).join("\n");
    return row;
  }));
}

function drawWarnings() {
  if (!status.warnings.length) return;
  document.querySelector("#warnings ul").replaceChildren(...status.warnings.map((warning) => {
    const item = make("li");
    item.append(make("b", warning.level, warning.level), make("span", `${warning.text} `));
    if (warning.runbook) {
      const anchor = make("a", "what to do");
      anchor.href = `/runbook#${warning.runbook}`;
      item.append(anchor);
    }
    item.append(make("span", ` ${seconds(Math.max(0, nowS() - warning.at_s))} ago`, "note"));
    return item;
  }));
}

function draw() {
  drawSlices(); drawNumbers(); drawStages(); drawDevices(); drawResults(); drawWarnings(); drawBanner();
  $("about").textContent = status.profile ? `streamlcn · ${status.profile}` : "streamlcn";
  document.body.dataset.version = status.version;
}

const source = new EventSource("/events");
source.addEventListener("status", (event) => {
  heardAt = performance.now();
  status = JSON.parse(event.data);
  skewS = status.now_s - Date.now() / 1000;
  draw();
});
source.addEventListener("pulse", (event) => { heardAt = performance.now(); health = JSON.parse(event.data); if (status) drawStages(); drawBanner(); });
setInterval(drawBanner, 500);

const opacity = $("opacity");
const fade = () => { for (const image of document.querySelectorAll("img.labels")) image.style.opacity = opacity.value / 100; };
opacity.addEventListener("input", fade);
fade();
