"use strict";
// Without this script the page is complete but for the panels: the tables are plain HTML.
(() => {
  document.documentElement.classList.add("js");
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const live = $("#live");
  const say = (words) => { live.textContent = words; };

  function make(tag, attributes = {}, ...children) {
    const svg = ["svg", "polyline", "line", "text"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  // ---------------------------------------------------------------- the runs behind the cells

  const runs = (async () => {
    const bytes = Uint8Array.from(atob($("#runs").textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Response(stream).json();
  })();

  // ---------------------------------------------------------------- tables

  // A key is "block value". Blocks keep their order, and what has no value comes last, either way.
  const key = (text) => [text[0], text.slice(2), Number(text.slice(2))];
  const compare = (sign) => ([blockA, a, numberA], [blockB, b, numberB]) =>
    blockA.localeCompare(blockB) || (a === "") - (b === "") ||
    sign * (Number.isNaN(numberA - numberB) ? a.localeCompare(b) : numberA - numberB);
  DataTable.type("keyed", { order: { pre: key, asc: compare(1), desc: compare(-1) } });

  function sortable(node, heads, options) {
    for (const row of $$("tbody tr", node)) {
      for (const cell of row.cells) {
        cell.dataset.order = `${row.dataset.block ?? 0} ${cell.dataset.order ?? cell.textContent.trim()}`;
      }
    }
    return new DataTable(node, {
      paging: false,
      info: false,
      autoWidth: false,
      order: [],
      layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
      columnDefs: heads.map((head, i) => ({
        targets: i,
        type: "keyed",
        searchable: i === 0,
        orderable: head.dataset.kind !== "picture",
        orderSequence: head.dataset.first === "desc" ? ["desc", "asc", ""] : ["asc", "desc", ""],
      })),
      ...options,
    });
  }

  function board(node) {
    const blocks = $$("tr.block", node).map((row) => row.remove() ?? row);
    const heads = $$("thead th", node);
    for (const cell of $$("td[data-cell]", node)) {
      const button = make("button", { type: "button", class: "cell", tabindex: "-1", "aria-haspopup": "dialog" });
      button.append(...cell.childNodes);
      cell.append(button);
    }
    const words = { zeroRecords: "no method fits the filters", emptyTable: "no method" };
    const table = sortable(node, heads, { language: words });
    function separate() {
      $$("tr.block", node).forEach((row) => row.remove());
      const rows = table.rows({ search: "applied", order: "applied" }).nodes().toArray();
      for (const block of blocks) {
        const first = rows.find((row) => row.dataset.block === block.dataset.block);
        if (!first) continue;
        block.firstElementChild.colSpan = $$("thead th", node).length;
        first.before(block);
      }
      rove(node);
    }
    table.on("draw", separate).on("column-visibility", separate);
    table.on("order", (_event, _settings, order) => {
      if (!order.length) return;
      const { col, dir } = order[0];
      say(`sorted by ${heads[col].dataset.name}, ${dir === "asc" ? "ascending" : "descending"}`);
    });
    separate();
    return { node, table, heads };
  }

  // One stop of the Tab key for all cells of a table; arrows go from cell to cell.
  function rove(node) {
    const buttons = $$("tbody button.cell", node);
    if (buttons.length && !buttons.some((button) => button.tabIndex === 0)) buttons[0].tabIndex = 0;
  }

  function step(button, key) {
    const cell = button.closest("td");
    const row = cell.parentElement;
    const inRow = $$("button.cell", row);
    const place = [...row.cells].indexOf(cell);
    const below = (from, way) => {
      for (let next = from[way]; next; next = next[way]) {
        const found = next.cells[place] && $("button.cell", next.cells[place]);
        if (found) return found;
      }
      return null;
    };
    const found = {
      ArrowRight: inRow[inRow.indexOf(button) + 1],
      ArrowLeft: inRow[inRow.indexOf(button) - 1],
      ArrowDown: below(row, "nextElementSibling"),
      ArrowUp: below(row, "previousElementSibling"),
      Home: inRow[0],
      End: inRow[inRow.length - 1],
    }[key];
    if (!found) return false;
    $$("button.cell", button.closest("table")).forEach((other) => { other.tabIndex = -1; });
    found.tabIndex = 0;
    found.focus();
    return true;
  }

  const boards = $$("table.board").map(board);
  $$("table.plain").forEach((node) => sortable(node, $$("thead th", node), { searching: false }));

  // A head that stays in view, where the table is not wider than the page.
  const fit = () => $$(".scroll").forEach((box) => {
    box.classList.remove("fits");
    box.classList.toggle("fits", box.scrollWidth <= box.clientWidth);
  });
  new ResizeObserver(fit).observe(document.body);

  // ---------------------------------------------------------------- controls

  const controls = $("#controls");
  controls.hidden = false;
  const shown = () => {
    const table = boards.find(({ node }) => !node.closest("section").hidden).table;
    say(`${table.rows({ search: "applied" }).count()} of ${table.rows().count()} methods`);
    fit();
  };

  $("#search").addEventListener("input", (event) => {
    boards.forEach(({ table }) => table.search(event.target.value).draw());
    shown();
  });

  $("#verdict").addEventListener("change", (event) => {
    const wanted = event.target.value;
    boards.forEach(({ table }) => {
      const keep = (_text, _data, index) => table.row(index).node().dataset.verdict === wanted;
      table.search.fixed("verdict", wanted ? keep : null).draw();
    });
    shown();
  });

  const choices = $("#columns div");
  for (const head of boards[0].heads.filter((head) => head.dataset.pick)) {
    const box = make("input", { type: "checkbox", checked: "" });
    box.addEventListener("change", () => {
      for (const { table, heads } of boards) {
        const index = heads.findIndex((other) => other.dataset.pick === head.dataset.pick);
        if (index >= 0) table.column(index).visible(box.checked);
      }
      say(`column ${head.dataset.name} ${box.checked ? "shown" : "hidden"}`);
      fit();
    });
    choices.append(make("label", {}, box, ` ${head.dataset.name}`));
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#columns")) $("#columns").open = false;
  });
  $("#columns").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    $("#columns").open = false;
    $("#columns summary").focus();
  });

  const common = $("#common");
  if (common) {
    const show = (subset) => {
      $("#subset").hidden = !subset;
      $("#whole").hidden = subset;
    };
    common.addEventListener("change", () => { show(common.checked); shown(); });
    show(false);
  }

  $("#csv").addEventListener("click", async () => {
    const url = URL.createObjectURL(new Blob([(await runs).csv], { type: "text/csv" }));
    make("a", { href: url, download: "leaderboard.csv" }).click();
    URL.revokeObjectURL(url);
    say("leaderboard.csv saved");
  });

  // ---------------------------------------------------------------- the panel of a cell

  const panel = $("#panel");
  const W = 300, H = 150, LEFT = 40, BOTTOM = 22;

  function unpack(epochs, [list, digits, ...steps]) {
    let sum = 0;
    return steps.map((difference, i) => [epochs[list][i], (sum += difference) / 10 ** digits]);
  }

  function chart(name, lines) {
    const points = lines.flat();
    if (!points.length) return null;
    const settled = lines.flatMap((line) => line.slice(Math.floor(line.length / 4))).map((p) => p[1]);
    const [low, high] = [Math.min(...settled), Math.max(...settled)];
    const room = (high - low) * 0.06 || 1;
    const last = Math.max(...points.map((p) => p[0]));
    const x = (epoch) => LEFT + (epoch - 1) / Math.max(last - 1, 1) * (W - LEFT - 6);
    const y = (value) => 8 + (high + room - value) / (high - low + 2 * room) * (H - BOTTOM - 8);
    const inside = ([, value]) => value >= low - room && value <= high + room;
    const label = (at, words, anchor, height) => make("text", { x: at, y: height, "text-anchor": anchor }, words);
    const picture = make("svg", { viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "aria-label": `${name} by epoch, ${lines.length} seeds` });
    for (const value of [low, high]) {
      picture.append(make("line", { class: "grid", x1: LEFT, x2: W - 6, y1: y(value), y2: y(value) }));
      picture.append(label(LEFT - 5, value.toPrecision(3), "end", y(value) + 4));
    }
    picture.append(make("line", { class: "axis", x1: LEFT, x2: W - 6, y1: H - BOTTOM, y2: H - BOTTOM }));
    picture.append(label(LEFT, "1", "middle", H - 6), label(W - 6, `epoch ${last}`, "end", H - 6));
    lines.forEach((line, i) => picture.append(make("polyline", {
      class: `curve line${i % 5 + 1}`, points: line.filter(inside).map(([e, v]) => `${x(e).toFixed(1)},${y(v).toFixed(1)}`).join(" "),
    })));
    return make("figure", {}, make("figcaption", {}, name), picture);
  }

  function pairs(list) {
    return make("dl", {}, ...list.flatMap(([term, meaning]) => [make("dt", {}, term), make("dd", {}, meaning)]));
  }

  function details(title, ...children) {
    return make("details", { class: "block" }, make("summary", {}, title), ...children);
  }

  function commands(lines) {
    const code = make("pre", { tabindex: "0" }, lines.join("\n"));
    const copy = make("button", { type: "button", class: "plain" }, "copy");
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(lines.join("\n"));
        copy.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(code);
      }
    });
    return make("div", { class: "command" }, code, copy);
  }

  function seeds(all, cell) {
    const head = all.heads.map((name, i) => make("th", { scope: "col", class: i ? "number" : "" }, name));
    const rows = cell.runs.map((number) => {
      const [first, ...others] = all.runs[number].row;
      return make("tr", {}, make("th", { scope: "row" }, first), ...others.map((text) => make("td", { class: "number" }, text)));
    });
    const table = make("table", {}, make("caption", {}, "every seed"), make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "every seed" }, table);
  }

  const grouped = (numbers, runs, field) => {
    const groups = new Map();
    for (const number of numbers) {
      const value = runs[number][field];
      groups.set(value, [...(groups.get(value) ?? []), runs[number].row[0]]);
    }
    return [...groups];
  };

  async function open(key) {
    const all = await runs;
    const cell = all.cells[key];
    const mine = cell.runs.map((number) => all.runs[number]);
    const body = $("#panel-body");
    const reasons = grouped(cell.runs, all.runs, "reason").filter(([text]) => all.texts[text]);
    const checks = mine.map((run) => all.texts[run.verify]).filter(Boolean);
    const charts = all.curves.map((name, i) => chart(name, mine.filter((run) => run.curves[i]).map((run) => unpack(all.epochs, run.curves[i]))));
    body.replaceChildren(
      pairs(cell.facts),
      ...reasons.map(([text, who]) => make("p", { class: "reason" }, `seed ${who.join(", ")}: ${all.texts[text]}`)),
      ...(charts.some(Boolean) ? [make("div", { class: "figures" }, ...charts.filter(Boolean))] : []),
      ...(mine.length ? [
        seeds(all, cell),
        ...(checks.length ? [make("h3", {}, "Train it again and compare"), commands(checks)] : []),
        make("h3", {}, "How it was trained"),
        commands(mine.map((run) => all.texts[run.command])),
        ...grouped(cell.runs, all.runs, "origin").map(([text, who]) =>
          details(`Code and environment, seed ${who.join(", ")}`, pairs(all.texts[text].split("\n").map((line) => line.split("\t"))))),
        ...grouped(cell.runs, all.runs, "config").map(([list, who]) =>
          details(`Config, seed ${who.join(", ")}`, make("pre", { tabindex: "0" }, all.configs[list].map((text) => all.texts[text]).join("\n")))),
      ] : []),
    );
    $("#panel-title").textContent = cell.row;
    $("#panel-place").textContent = cell.column;
    panel.showModal();
    panel.scrollTop = 0;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.cell");
    if (button) {
      $$("button.cell", button.closest("table")).forEach((other) => { other.tabIndex = -1; });
      button.tabIndex = 0;
      open(button.parentElement.dataset.cell);
    } else if (event.target === panel) {
      panel.close();
    }
  });
  document.addEventListener("keydown", (event) => {
    const button = event.target.closest("button.cell");
    if (button && step(button, event.key)) event.preventDefault();
  });
  $("#panel-close").addEventListener("click", () => panel.close());
})();
