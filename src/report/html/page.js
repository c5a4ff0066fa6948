"use strict";
// The page of a plan. All text of the plan is put in with textContent, so nothing of it is ever markup.
(() => {
  const plan = JSON.parse(document.getElementById("plan").textContent);
  const $ = (id) => document.getElementById(id);
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const effectBadge = (effect) => make("span", plan.effects[effect], "effect " + plan.effects[effect]);
  const nodeOf = (index) => (index < 0 ? null : plan.nodes[index]);

  // Queries: the grammar of `drydock show --query`.
  const parse = (text) => {
    let at = 0;
    const fail = (problem) => { throw new Error(`column ${at + 1}: ${problem}`); };
    const space = () => { while (at < text.length && /\s/.test(text[at])) at++; };
    const eat = (token) => { space(); if (!text.startsWith(token, at)) return false; at += token.length; return true; };
    const word = () => { const found = /^[^\s&|!()=<>"]*/.exec(text.slice(at))[0]; at += found.length; return found; };
    const value = () => {
      space();
      if (text[at] !== "\"") return word() || fail("expected a value");
      const end = text.indexOf("\"", at + 1);
      if (end < 0) fail("expected a closing \"");
      const found = text.slice(at + 1, end);
      at = end + 1;
      return found;
    };
    const glob = (pattern) => {
      const expression = new RegExp("^" + pattern.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&")).join("[^]*") + "$");
      return (found) => found !== null && found !== undefined && expression.test(found);
    };
    const compare = { ">=": (a, b) => a >= b, "<=": (a, b) => a <= b, "==": (a, b) => a === b, "!=": (a, b) => a !== b, ">": (a, b) => a > b, "<": (a, b) => a < b, "=": (a, b) => a === b };
    const keys = {
      node: (item) => [item.node && item.node[0]], rack: (item) => [item.node && item.node[1]], stage: (item) => [item.node && item.node[2]],
      profile: (item) => [item.node && item.node[4]], resource: (item) => [item.resource], attribute: (item) => item.attributes,
    };
    const term = () => {
      space();
      const start = at;
      const name = word();
      if (name === "*" && text[at] !== "=") return () => true;
      if (name === "effect") {
        const sign = Object.keys(compare).find(eat);
        if (!sign) fail("expected >=, >, =, !=, < or <= and an effect");
        const wanted = plan.effects.indexOf(value());
        if (wanted < 0) fail("not an effect; they are " + plan.effects.join(", "));
        return (item) => compare[sign](item.effect, wanted);
      }
      const key = keys[name];
      if (!key) { at = start; fail((name ? `"${name}" is not a key; ` : "") + "expected node=, rack=, stage=, profile=, effect>=, resource= or attribute="); }
      const negated = eat("!=");
      if (!negated && !eat("==") && !eat("=")) fail("expected = and a value");
      const matches = glob(value());
      return (item) => key(item).some((found) => matches(found)) !== negated;
    };
    let depth = 0;
    const unary = () => {
      if (++depth > 64) fail("nested too deeply");
      let found;
      if (text.startsWith("!", (space(), at))) { at++; const inner = unary(); found = (item) => !inner(item); }
      else if (eat("(")) { found = or(); if (!eat(")")) fail("expected )"); }
      else found = term();
      depth--;
      return found;
    };
    const and = () => { let left = unary(); while (eat("&&")) { const a = left, b = unary(); left = (item) => a(item) && b(item); } return left; };
    const or = () => { let left = and(); while (eat("||")) { const a = left, b = and(); left = (item) => a(item) || b(item); } return left; };
    space();
    if (at === text.length) return () => true;
    const root = or();
    space();
    if (at < text.length) fail("expected &&, || or the end");
    return root;
  };

  // Changes.
  const items = plan.changes.map((change) => {
    const [resource, node, sign, effect, reason, attributes, held, hint] = change;
    return { resource, node: nodeOf(node), sign, effect, reason, change, held, hint, attributes: attributes.map((a) => plan.attributes[a][0]) };
  });
  for (const item of items) item.text = [item.resource, item.reason, item.node ? item.node[1] : "", ...item.attributes].join(" ").toLowerCase();
  items.sort((a, b) => b.effect - a.effect);
  const PAGE = 1000;
  let shown = PAGE;
  let selected = items;

  // Changes of many nodes that are alike stand in one row: the same part of a node, attributes and effect; values may differ.
  const part = (item) => item.resource.slice(("node." + item.node[0]).length);
  const alike = (all) => {
    const groups = new Map();
    for (const item of all) {
      const named = item.node && item.resource.startsWith("node." + item.node[0]);
      const key = named ? JSON.stringify([part(item), item.sign, item.effect, item.reason, item.held, item.hint, item.attributes]) : item.resource;
      if (groups.has(key)) groups.get(key).push(item); else groups.set(key, [item]);
    }
    return [...groups.values()];
  };
  // Names in the notation of cluster tools: r12-n[01-40].
  const fold = (names) => {
    const families = new Map();
    for (const name of [...new Set(names)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }))) {
      const [, head, digits] = /^(.*?)(\d{0,9})$/.exec(name);
      const key = head + "\n" + (digits ? digits.length : 0);
      if (!families.has(key)) families.set(key, []);
      const runs = families.get(key);
      const last = runs[runs.length - 1];
      if (digits && last && Number(digits) === Number(last[1]) + 1) last[1] = digits; else runs.push([digits, digits]);
    }
    return [...families].map(([key, runs]) => {
      const head = key.split("\n")[0];
      const texts = runs.map(([from, to]) => (from === to ? from : `${from}-${to}`));
      return texts.length === 1 && !texts[0].includes("-") ? head + texts[0] : `${head}[${texts.join(",")}]`;
    }).join(",");
  };

  const valueCell = (text, className, known) => {
    const cell = make("td", undefined, text === null ? "" : className);
    cell.append(text === null ? make("span", known || "none", "dim") : make("code", text));
    return cell;
  };
  const attributeRow = (index) => {
    const [path, before, after, known, effect, reason, source, diff] = plan.attributes[index];
    const row = make("tr");
    const head = make("td");
    head.append(make("code", path));
    row.append(head);
    if (diff) {
      const cell = make("td");
      cell.colSpan = 2;
      const pre = make("pre");
      for (const [mark, line] of diff) pre.append(make("span", `${mark} ${line}`, mark === "+" ? "a" : mark === "-" ? "r" : "dim"));
      cell.append(pre);
      row.append(cell);
    } else row.append(valueCell(before, "before", known), valueCell(after, "after"));
    const note = make("td");
    note.append(effectBadge(effect));
    if (reason) note.append(" " + reason);
    if (source) { note.append(make("br")); note.append(make("code", source, "dim")); }
    row.append(note);
    return row;
  };
  const differs = (place, group) => {
    const row = make("tr");
    const head = make("td");
    head.append(make("code", plan.attributes[group[0].change[5][place]][0]));
    const cell = make("td", "differs from node to node", "dim");
    cell.colSpan = 2;
    const note = make("td");
    note.append(effectBadge(Math.max(...group.map((item) => plan.attributes[item.change[5][place]][4]))));
    row.append(head, cell, note);
    return row;
  };
  const button = (text, name) => {
    const element = make("button", text);
    element.type = "button";
    if (name) element.className = name;
    return element;
  };
  const details = (group) => {
    const [item] = group;
    const cell = make("td");
    cell.colSpan = 5;
    if (group.length > 1) cell.append(make("p", fold(group.map((g) => g.node[0])), "mono"));
    if (item.reason) cell.append(make("p", "because " + item.reason));
    if (item.held) cell.append(make("p", "held back: " + item.held), make("p", "what to do: " + item.hint));
    const table = make("table", undefined, "values");
    const head = make("tr");
    for (const name of ["attribute", "before", "after", "effect, reason, place"]) { const th = make("th", name); th.scope = "col"; head.append(th); }
    const same = (place) => group.every((g) => g.change[5][place] === item.change[5][place]);
    table.append(head, ...item.change[5].map((index, place) => (same(place) ? attributeRow(index) : differs(place, group))));
    cell.append(table);
    if (group.length > 1) {
      const each = button(`Show each of the ${group.length}`, "each");
      let next = 0;
      const list = make("tbody");
      const inner = make("table");
      inner.append(list);
      each.addEventListener("click", () => {
        list.append(...group.slice(next, next + PAGE).map((g) => changeRow([g])));
        next += PAGE;
        each.textContent = "Show more";
        each.hidden = next >= group.length;
      });
      cell.append(inner, each);
    }
    return cell;
  };
  const changeRow = (group) => {
    const [item] = group;
    const row = make("tr", undefined, group.length > 1 ? "change group" : "change");
    const racks = [...new Set(group.map((g) => (g.node ? g.node[1] || "" : "")))];
    row.dataset.resource = group.length > 1 ? `node.*${part(item)}` : item.resource;
    row.dataset.rack = racks.join(" ");
    let title = item.resource;
    if (group.length > 1) {
      const names = fold(group.map((g) => g.node[0]));
      row.dataset.nodes = names;
      title = `node.${names.length > 60 ? names.slice(0, 60) + "…" : names}${part(item)} × ${group.length}`;
    }
    const name = make("td", undefined, "row");
    const opener = button(`${item.sign} ${title}`);
    opener.setAttribute("aria-expanded", "false");
    opener.addEventListener("click", () => {
      const open = opener.getAttribute("aria-expanded") !== "true";
      opener.setAttribute("aria-expanded", String(open));
      if (!open) { row.nextSibling.remove(); return; }
      const detail = make("tr", undefined, "detail");
      detail.append(details(group));
      row.after(detail);
    });
    name.append(opener);
    const effect = make("td");
    effect.append(effectBadge(item.effect));
    row.append(name, effect, make("td", fold(racks.filter(Boolean))), make("td", item.held ? "held back" : ""), make("td", item.attributes.slice(0, 6).join(", ") + (item.attributes.length > 6 ? ", …" : ""), "mono"));
    return row;
  };
  const draw = () => {
    const groups = $("group").checked ? alike(selected) : selected.map((item) => [item]);
    $("changes").replaceChildren(...groups.slice(0, shown).map(changeRow));
    const rows = groups.length === selected.length ? "" : ` in ${groups.length} rows`;
    $("count").textContent = `${selected.length} of ${items.length} changes${rows}` + (groups.length > shown ? `, the first ${shown} shown` : "");
    $("more").hidden = groups.length <= shown;
  };
  $("more").addEventListener("click", () => { shown += PAGE; draw(); });

  // Swim lanes: one for each node; only those in view are in the document.
  const HEIGHT = 22;
  const lanes = new Map();
  plan.actions.forEach((action, index) => { const key = action[2]; if (!lanes.has(key)) lanes.set(key, []); lanes.get(key).push(index); });
  const depth = [];
  plan.actions.forEach((action, index) => { depth[index] = action[4].reduce((most, before) => Math.max(most, depth[before] + 1), 0); });
  const columns = Math.max(1, ...depth.map((d) => d + 1));
  const followers = plan.actions.map(() => []);
  plan.actions.forEach((action, index) => action[4].forEach((before) => followers[before].push(index)));
  const critical = new Set(plan.critical);
  let byTime = true;
  let rows = [];
  let active = 0;
  let marked = new Set();
  const laneName = (key) => (key < 0 ? "site" : "node." + plan.nodes[key][0]);
  const clock = (ms) => { const s = Math.round(ms / 1000); return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)}m${String(s % 60).padStart(2, "0")}s` : `${Math.floor(s / 3600)}h${String(Math.floor(s / 60) % 60).padStart(2, "0")}m`; };
  const stepName = (index) => plan.steps[plan.actions[index][0]];
  const say = (index) => {
    const [, resource, node, effect, before, start, end] = plan.actions[index];
    marked = new Set([...before, ...followers[index]]);
    const detail = $("detail");
    const title = make("p");
    title.append(make("b", stepName(index)), " ", make("code", resource), " ", effectBadge(effect), ` ${laneName(node)}, ${clock(start)} to ${clock(end)}` + (plan.ended[index] ? `, ${plan.ended[index]}` : "") + (critical.has(index) ? ", on the longest chain" : ""));
    const list = (name, indices) => make("p", `${name}: ` + (indices.slice(0, 12).map((i) => `${stepName(i)} ${plan.actions[i][1]}`).join(", ") || "nothing") + (indices.length > 12 ? `, and ${indices.length - 12} more` : ""), "mono");
    detail.replaceChildren(title, list("waits for", before), list("before", followers[index]));
    drawLanes();
  };
  const sayLane = (key) => {
    marked = new Set();
    const detail = $("detail");
    const list = make("ol");
    for (const index of lanes.get(key)) list.append(make("li", `${stepName(index)} ${plan.actions[index][1]}, ${plan.effects[plan.actions[index][3]]}, ${clock(plan.actions[index][5])} to ${clock(plan.actions[index][6])}` + (plan.ended[index] ? `, ${plan.ended[index]}` : "")));
    detail.replaceChildren(make("b", laneName(key)), list);
    drawLanes();
  };
  const drawLanes = () => {
    const box = $("lanes");
    const from = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 5);
    const to = Math.min(rows.length, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + 5);
    const inner = box.firstElementChild;
    inner.style.height = rows.length * HEIGHT + "px";
    inner.replaceChildren(...rows.slice(from, to).map((key, offset) => {
      const at = from + offset;
      const lane = make("div", undefined, at === active ? "lane active" : "lane");
      lane.id = "lane" + at;
      lane.style.top = at * HEIGHT + "px";
      lane.setAttribute("role", "option");
      lane.setAttribute("aria-selected", String(at === active));
      const steps = lanes.get(key);
      lane.setAttribute("aria-label", `${laneName(key)}: ${steps.map(stepName).join(", ")}`);
      lane.append(make("span", laneName(key)));
      const bars = make("div", undefined, "bars");
      for (const index of steps) {
        const [, resource, , effect, , start, end] = plan.actions[index];
        const ended = plan.ended[index];
        const state = ended === undefined || ended === "done" ? "" : ended.startsWith("failed") || ended.startsWith("refused") ? " failed" : " waiting";
        const bar = make("i", undefined, plan.effects[effect] + state + (critical.has(index) ? " critical" : "") + (marked.has(index) ? " marked" : ""));
        const [left, width] = byTime ? [start / plan.makespan_ms, (end - start) / plan.makespan_ms] : [depth[index] / columns, 1 / columns];
        bar.style.left = left * 100 + "%";
        bar.style.width = width * 100 + "%";
        bar.title = `${stepName(index)} ${resource}, ${clock(start)} to ${clock(end)}`;
        bar.addEventListener("click", (event) => { event.stopPropagation(); active = at; say(index); });
        bars.append(bar);
      }
      lane.append(bars);
      lane.addEventListener("click", () => { active = at; sayLane(key); });
      return lane;
    }));
    if (rows.length) box.setAttribute("aria-activedescendant", "lane" + active); else box.removeAttribute("aria-activedescendant");
    $("lane-count").textContent = `${rows.length} of ${lanes.size} lanes`;
  };
  const box = $("lanes");
  box.addEventListener("scroll", () => requestAnimationFrame(drawLanes));
  box.addEventListener("keydown", (event) => {
    const page = Math.floor(box.clientHeight / HEIGHT);
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length }[event.key];
    if (event.key === "Enter" && rows.length) { sayLane(rows[active]); event.preventDefault(); return; }
    if (move === undefined) return;
    event.preventDefault();
    active = Math.max(0, Math.min(rows.length - 1, active + move));
    if (active * HEIGHT < box.scrollTop) box.scrollTop = active * HEIGHT;
    if ((active + 1) * HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = (active + 1) * HEIGHT - box.clientHeight;
    drawLanes();
  });
  $("axis").addEventListener("change", () => { byTime = $("axis").value === "time"; drawLanes(); });

  // Filters.
  const many = plan.nodes.length > 40;
  const racks = [...new Set(plan.nodes.map((node) => node[1]).filter(Boolean))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  for (const rack of racks) { const option = make("option", rack); option.value = rack; $("rack").append(option); }
  const profiles = [...new Set(plan.nodes.map((node) => node[4]).filter(Boolean))].sort();
  for (const profile of profiles) { const option = make("option", profile); option.value = profile; $("profile").append(option); }
  plan.effects.forEach((effect, index) => { const option = make("option", index ? effect + " or more" : "any"); option.value = index; $("effect").append(option); });
  const filter = () => {
    let query;
    try { query = parse($("query").value); $("wrong").textContent = ""; } catch (error) { $("wrong").textContent = "query, " + error.message; return; }
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const rack = $("rack").value;
    const profile = $("profile").value;
    const effect = Number($("effect").value);
    const wanted = (item) => item.effect >= effect && (!rack || (item.node && item.node[1] === rack)) && (!profile || (item.node && item.node[4] === profile)) && words.every((word) => item.text.includes(word)) && query(item);
    selected = items.filter(wanted);
    shown = PAGE;
    draw();
    const all = selected.length === items.length;
    const nodes = new Set(selected.map((item) => (item.node ? item.node[0] : null)));
    rows = [...lanes.keys()].filter((key) => all || nodes.has(key < 0 ? null : plan.nodes[key][0])).sort((a, b) => a - b);
    active = 0;
    box.scrollTop = 0;
    drawLanes();
    const state = new URLSearchParams();
    for (const id of ["query", "search", "rack", "profile"]) if ($(id).value) state.set(id, $(id).value);
    if (effect) state.set("effect", effect);
    if ($("group").checked !== many) state.set("group", $("group").checked ? "1" : "0");
    history.replaceState(null, "", state.size ? "#" + state : location.pathname + location.search);
  };
  for (const id of ["query", "search", "rack", "profile", "effect", "group"]) $(id).addEventListener("input", filter);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("clear").addEventListener("click", () => { for (const id of ["query", "search", "rack", "profile"]) $(id).value = ""; $("effect").value = "0"; filter(); });
  const restore = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const id of ["query", "search", "rack", "profile", "effect"]) {
      const value = state.get(id) || (id === "effect" ? "0" : "");
      // An address may name a rack that this plan has not: then nothing is selected, not everything.
      if (["rack", "profile"].includes(id) && value && ![...$(id).options].some((o) => o.value === value)) { const option = make("option", value); option.value = value; $(id).append(option); }
      $(id).value = value;
    }
    $("group").checked = state.has("group") ? state.get("group") === "1" : many;
  };
  window.addEventListener("hashchange", () => { restore(); filter(); });
  restore();
  filter();
  document.body.dataset.ready = "yes";
})();
