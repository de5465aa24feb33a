"use strict";
/* The status page of jibri-watcher: asks /api/v1/recordings every few seconds and shows the answer.
   Names are set as text, never as markup. */
(() => {
  const TEXTS = {
    en: {
      title: "Recordings", updated: "as of {0}", lost: "No contact since {0}; trying again",
      unreadable: "The watcher cannot read: {0}",
      tokenLabel: "Token", tokenHelp: "This page is protected: CONFOMEET_STATUS_TOKEN of the watcher.",
      tokenSend: "Show", tokenWrong: "This is not the token.", states: "States",
      all: "Overview", person: "Needs a person", waiting: "Waiting", busy: "Under way", safe: "Safe", given: "Abandoned",
      newestSafe: "Safe, the newest", nothing: "There are no recordings yet.", nothingHere: "There are none.",
      headPerson: ["{0} recording needs a person: open it to see what to do.", "{0} recordings need a person: open one to see what to do."],
      headWaiting: ["{0} recording waits to be tried again.", "{0} recordings wait to be tried again."],
      headBusy: ["{0} recording is under way.", "{0} recordings are under way."],
      headGood: "All recordings are safe.",
      newer: "Newer", older: "Older", page: "{0}–{1} of {2}",
      left: "{0} left", rate: "{0}/s", of: "{0} of {1}", nextTry: "next try {0}", inTime: "in {0}", soon: "in a moment",
      tries: ["{0} try", "{0} tries"], meeting: "meeting {0}", notices: ["the backend was not told of {0} file", "the backend was not told of {0} files"],
      incomplete: "incomplete, does not play", plays: "plays {0}", cutOff: "cut off, plays up to {0}", noMedia: "no media file: the backend was not notified", history: "History", files: "Files", noHistory: "The history is empty.", loading: "Loading …",
      session: "Session", directory: "Directory", url: "Meeting", created: "First seen", safeAt: "Safe since", reason: "Reason", error: "Last error",
      command: "What to do", key: "Key", worker: "Worked on by", retryHint: "repair what the last error says (jibri-finalize status --failed tells how), then:", lostHint: "find out who removed the file, then:", foundHint: "nothing: the watcher finalizes it once it is quiet",
      st: { safe: "safe", uploading: "uploading", recording: "recording", interrupted: "interrupted", waiting: "waiting", failed: "needs a person", lost: "lost", abandoned: "abandoned", found: "found on disk" },
      fs: { pending: "not uploaded yet", uploaded: "in the bucket, the backend was not told", safe: "safe", gone: "vanished", withheld: "kept on the disk, may hold credentials" },
      units: ["B", "KiB", "MiB", "GiB", "TiB"], time: ["s", "min", "h", "d"], point: "."
    },
    ru: {
      title: "Записи", updated: "на {0}", lost: "Нет связи с {0}; пробуем снова",
      unreadable: "Наблюдатель не может прочитать: {0}",
      tokenLabel: "Токен", tokenHelp: "Страница защищена: нужен CONFOMEET_STATUS_TOKEN наблюдателя.",
      tokenSend: "Показать", tokenWrong: "Токен не подошёл.", states: "Состояния",
      all: "Обзор", person: "Нужен человек", waiting: "Ждут", busy: "В работе", safe: "В сохранности", given: "Отменены",
      newestSafe: "В сохранности, последние", nothing: "Записей пока нет.", nothingHere: "Таких нет.",
      headPerson: ["{0} запись требует вмешательства: откройте её, чтобы узнать, что делать.",
        "{0} записи требуют вмешательства: откройте любую, чтобы узнать, что делать.",
        "{0} записей требуют вмешательства: откройте любую, чтобы узнать, что делать."],
      headWaiting: ["{0} запись ждёт новой попытки.", "{0} записи ждут новой попытки.", "{0} записей ждут новой попытки."],
      headBusy: ["{0} запись в работе.", "{0} записи в работе.", "{0} записей в работе."],
      headGood: "Все записи в сохранности.",
      newer: "Новее", older: "Старше", page: "{0}–{1} из {2}",
      left: "осталось {0}", rate: "{0}/с", of: "{0} из {1}", nextTry: "следующая попытка {0}", inTime: "через {0}", soon: "сейчас",
      tries: ["{0} попытка", "{0} попытки", "{0} попыток"], meeting: "встреча {0}",
      notices: ["сервер не уведомлён о {0} файле", "сервер не уведомлён о {0} файлах", "сервер не уведомлён о {0} файлах"],
      incomplete: "неполная, не воспроизводится", plays: "длительность {0}", cutOff: "оборвана, воспроизводится до {0}", noMedia: "нет медиафайлов: сервер не уведомлялся", history: "История", files: "Файлы", noHistory: "История пуста.", loading: "Загрузка …",
      session: "Сеанс", directory: "Каталог", url: "Встреча", created: "Замечена", safeAt: "В сохранности с", reason: "Причина", error: "Последняя ошибка",
      command: "Что делать", key: "Ключ", worker: "Процесс", retryHint: "устраните последнюю ошибку (как – подскажет jibri-finalize status --failed), затем:", lostHint: "выясните, кто удалил файл, затем:", foundHint: "ничего: jibri-watcher загрузит её, когда файлы перестанут меняться",
      st: { safe: "в сохранности", uploading: "передаётся", recording: "записывается", interrupted: "прервана", waiting: "ждёт", failed: "нужен человек", lost: "утрачена", abandoned: "отправка отменена", found: "найдена на диске" },
      fs: { pending: "будет передан", uploaded: "в хранилище, сервер не уведомлён", safe: "в сохранности", gone: "пропал", withheld: "остаётся на диске, может содержать пароли" },
      units: ["Б", "КиБ", "МиБ", "ГиБ", "ТиБ"], time: ["с", "мин", "ч", "д"], point: ","
    }
  };
  const LANGUAGE = (navigator.language || "en").toLowerCase().startsWith("ru") ? "ru" : "en";
  const T = TEXTS[LANGUAGE];
  const PLURAL = new Intl.PluralRules(LANGUAGE);
  const CLOCK = new Intl.DateTimeFormat(navigator.language, { timeStyle: "medium" });
  const EXACTLY = new Intl.DateTimeFormat(navigator.language, { dateStyle: "medium", timeStyle: "medium" });
  const MOMENT = new Intl.DateTimeFormat(navigator.language, { dateStyle: "medium", timeStyle: "short" });

  const GROUPS = {
    person: { states: ["failed", "lost"], tone: "bad" },
    waiting: { states: ["waiting", "interrupted", "found"], tone: "wait" },
    busy: { states: ["uploading", "recording"], tone: "busy" },
    safe: { states: ["safe"], tone: "good" },
    given: { states: ["abandoned"], tone: "dim" }
  };
  const GROUP_OF = {};
  for (const [name, group] of Object.entries(GROUPS)) for (const state of group.states) GROUP_OF[state] = name;
  const PAGE = 50, NEWEST_SAFE = 10, FAST_MS = 3000, SLOW_MS = 10000, PATIENCE_MS = 10000;

  const $ = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const fill = (text, ...values) => text.replace(/\{(\d)\}/g, (_, index) => String(values[index]));
  const plural = (forms, count) => {
    const rule = PLURAL.select(count);
    const index = LANGUAGE === "ru" ? (rule === "one" ? 0 : rule === "few" ? 1 : 2) : (rule === "one" ? 0 : 1);
    return fill(forms[index], count);
  };

  /* Characters that can't be seen, or that turn what follows around, are spelled out. */
  const visible = (text, most = 2000) => {
    const whole = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
      (c) => "⟨U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩");
    return whole.length > most ? whole.slice(0, most) + "…" : whole;
  };
  const size = (bytes) => {
    let unit = 0;
    while (bytes >= 1024 && unit < T.units.length - 1) { bytes /= 1024; unit++; }
    return (unit ? bytes.toFixed(bytes < 10 ? 1 : 0).replace(".", T.point) : String(bytes)) + " " + T.units[unit];
  };
  const span = (seconds) => {
    if (seconds < 60) return Math.max(1, Math.round(seconds)) + " " + T.time[0];
    if (seconds < 3600) return Math.round(seconds / 60) + " " + T.time[1];
    if (seconds < 86400) return (seconds / 3600).toFixed(seconds < 36000 ? 1 : 0).replace(".", T.point) + " " + T.time[2];
    return Math.round(seconds / 86400) + " " + T.time[3];
  };
  /* As players show it. */
  const clock = (seconds) => {
    const two = (number) => String(Math.floor(number)).padStart(2, "0");
    return (seconds < 3600 ? Math.floor(seconds / 60) : Math.floor(seconds / 3600) + ":" + two(seconds / 60 % 60)) + ":" + two(seconds % 60);
  };
  const playsText = (file) => file.incomplete ? T.incomplete
    : file.duration_seconds === null ? "" : fill(file.cut_off ? T.cutOff : T.plays, clock(file.duration_seconds));
  const moment = (text) => text ? MOMENT.format(new Date(text)) : "";

  let group = "all", offset = 0, timer = 0, lastContact = null, running = false, again = false;
  let token = "";
  try { token = sessionStorage.getItem("jibri-token") || ""; } catch { /* not allowed: kept for this page alone */ }

  /* ---- asking ---- */
  class NeedsToken extends Error {}

  async function ask(path) {
    const stop = new AbortController();
    const alarm = setTimeout(() => stop.abort(), PATIENCE_MS);
    try {
      const reply = await fetch(path, {
        headers: token ? { Authorization: "Bearer " + token } : {},
        cache: "no-store", credentials: "omit", redirect: "error", signal: stop.signal
      });
      if (reply.status === 401) throw new NeedsToken();
      if (reply.status === 503) { const e = new Error(); e.reason = (await reply.text()).trim(); throw e; }
      if (!reply.ok) throw new Error(String(reply.status));
      return await reply.json();
    } finally {
      clearTimeout(alarm);
    }
  }
  const list = (states, limit, from) => ask("api/v1/recordings?state=" + states.join(",") + "&limit=" + limit + "&offset=" + from);

  /* ---- one recording ---- */
  const cards = new Map();

  function progressText(recording) {
    const parts = [];
    if (recording.size_bytes > 0) {
      parts.push(Math.floor(100 * recording.held_bytes / recording.size_bytes) + " %",
        fill(T.of, size(recording.held_bytes), size(recording.size_bytes)));
    }
    if (recording.rate_bytes_per_second > 0) parts.push(fill(T.rate, size(recording.rate_bytes_per_second)));
    if (recording.seconds_left !== null && recording.rate_bytes_per_second > 0) parts.push(fill(T.left, span(recording.seconds_left)));
    return parts.join(" · ");
  }

  function aboutText(recording, now) {
    const parts = [];
    if (recording.meeting) parts.push(fill(T.meeting, visible(recording.meeting, 60)));
    parts.push(moment(recording.safe_at || recording.created_at));
    if (GROUP_OF[recording.state] !== "busy") parts.push(size(recording.size_bytes));
    if (recording.tries > 1 && recording.state !== "safe") parts.push(plural(T.tries, recording.tries));
    if (recording.notices_due > 0) parts.push(plural(T.notices, recording.notices_due));
    parts.push(...new Set(recording.files.filter((file) => file.media).map(playsText)));
    if (recording.state === "safe" && recording.files_total > 0 && recording.files_media === 0) parts.push(T.noMedia);
    if (recording.next_try_at && recording.state !== "safe" && GROUP_OF[recording.state] !== "busy" && recording.state !== "abandoned") {
      const seconds = (Date.parse(recording.next_try_at) - now) / 1000;
      parts.push(fill(T.nextTry, seconds > 0 ? fill(T.inTime, span(seconds)) : T.soon));
    }
    return parts.filter(Boolean).join(" · ");
  }

  function addFact(facts, name, value, isCode) {
    if (!value) return;
    const description = make("dd");
    description.append(make(isCode ? "code" : "bdi", "", visible(value)));
    facts.append(make("dt", "", name), description);
  }

  function showDetails(card, reply) {
    const recording = reply.recording || card.recording, facts = make("dl"), nodes = [facts];
    const command = recording.state === "failed" ? "jibri-finalize retry " + (/begin with a meeting id/.test(recording.last_error) ? "--meeting-id NUMBER " : "") + recording.id
      : recording.state === "lost" ? "jibri-finalize abandon " + recording.id : "";
    if (command) {
      const hint = make("dd");
      hint.append((recording.state === "failed" ? T.retryHint : T.lostHint) + " ", make("code", "", visible(command)));
      facts.append(make("dt", "", T.command), hint);
    }
    addFact(facts, T.command, recording.state === "found" && T.foundHint);
    addFact(facts, T.error, recording.last_error);
    addFact(facts, T.reason, recording.reason);
    addFact(facts, T.session, recording.session);
    addFact(facts, T.directory, recording.directory, true);
    addFact(facts, T.url, recording.meeting_url);
    addFact(facts, T.created, moment(recording.created_at));
    addFact(facts, T.safeAt, moment(recording.safe_at));
    if (recording.worker) addFact(facts, T.worker, (recording.worker.program || "") + " (" + recording.worker.pid + ")");
    if (recording.files.length) {
      const files = make("ul");
      for (const file of recording.files) {
        const item = make("li"), state = T.fs[file.state] || file.state;
        item.append(make("bdi", "", visible(file.path)), " · " + size(file.size_bytes) + " · " + state);
        if (playsText(file)) item.append(" · " + playsText(file));
        if (file.key && file.key !== file.path) item.append(" · " + T.key + " ", make("code", "", visible(file.key)));
        files.append(item);
      }
      nodes.push(make("h3", "", T.files), files);
    }
    nodes.push(make("h3", "", T.history));
    if (reply.events && reply.events.length) {
      const events = make("ol", "scroll");
      events.tabIndex = 0;
      for (const event of reply.events) {
        const item = make("li"), time = make("time", "", event.at ? EXACTLY.format(new Date(event.at)) : "");
        time.dateTime = event.at || "";
        item.append(time, " ");
        if (event.file) item.append(make("bdi", "", visible(event.file, 120)), ": ");
        item.append(make("bdi", "", visible(event.text)));
        events.append(item);
      }
      nodes.push(events);
    } else {
      nodes.push(make("p", "empty", reply.events ? T.noHistory : T.loading));
    }
    const scrolled = card.details.querySelector(".scroll"), top = scrolled ? scrolled.scrollTop : 0;
    card.details.replaceChildren(...nodes);
    const scrolls = card.details.querySelector(".scroll");
    if (scrolls) scrolls.scrollTop = top;
  }

  async function loadDetails(card) {
    const recording = card.recording;
    if (recording.id === null) { showDetails(card, { events: [] }); return; }
    try {
      showDetails(card, await ask("api/v1/recordings/" + recording.id));
      card.shown = recording.updated_at + recording.held_bytes;
    } catch (error) {
      if (error instanceof NeedsToken) wantToken(true);
      /* else: no contact is shown by the next refresh, which tries this again, too */
    }
  }

  function toggle(card) {
    const opens = card.details.hidden;
    card.details.hidden = !opens;
    card.open.setAttribute("aria-expanded", String(opens));
    if (opens) { showDetails(card, {}); loadDetails(card); }
  }

  let numbers = 0;
  function makeCard() {
    const card = { item: make("li", "recording"), open: make("button", "open"), details: make("div", "details"), shown: "" };
    const top = make("span", "top");
    card.name = make("bdi", "name");
    card.pill = make("span", "pill");
    card.about = make("span", "about");
    card.error = make("bdi", "error");
    card.bar = make("progress");
    card.progressText = make("span", "progress-text");
    card.open.type = "button";
    card.details.id = "details-" + ++numbers;
    card.details.hidden = true;
    card.open.setAttribute("aria-expanded", "false");
    card.open.setAttribute("aria-controls", card.details.id);
    card.open.addEventListener("click", () => toggle(card));
    top.append(card.name, card.pill);
    card.open.append(top, card.bar, card.progressText, card.about, card.error);
    card.item.append(card.open, card.details);
    return card;
  }

  function updateCard(card, recording, now) {
    const tone = GROUPS[GROUP_OF[recording.state] || "waiting"].tone;
    const media = recording.files.find((file) => file.media);
    const unfinished = recording.size_bytes > 0 && recording.state !== "safe" && recording.state !== "abandoned" && recording.state !== "found" &&
      (GROUP_OF[recording.state] === "busy" || recording.held_bytes > 0);
    card.recording = recording;
    card.item.className = "recording " + tone;
    card.pill.className = "pill " + tone;
    set(card.pill, T.st[recording.state] || recording.state);
    set(card.name, visible(media ? media.path : recording.session, 300));
    set(card.about, aboutText(recording, now));
    card.bar.hidden = card.progressText.hidden = !unfinished;
    card.bar.max = Math.max(1, recording.size_bytes);
    card.bar.value = recording.held_bytes;
    set(card.progressText, progressText(recording));
    card.bar.setAttribute("aria-label", card.progressText.textContent);
    card.error.hidden = !recording.last_error || recording.state === "safe";
    set(card.error, visible(recording.last_error || "", 400));
    if (!card.details.hidden && card.shown !== recording.updated_at + recording.held_bytes) loadDetails(card);
  }

  /* ---- lists ---- */
  const sections = new Map();

  function showSection(name, title, recordings, now, used) {
    let section = sections.get(name);
    if (!section) {
      section = { element: make("section"), head: make("h2"), list: make("ul"), empty: make("p", "empty", T.nothingHere) };
      section.head.id = "section-" + name;
      section.element.setAttribute("aria-labelledby", section.head.id);
      section.element.append(section.head, section.list, section.empty);
      sections.set(name, section);
    }
    set(section.head, title);
    section.empty.hidden = recordings.length > 0;
    let before = section.list.firstChild;
    for (const recording of recordings) {
      const key = recording.id === null ? "d" + recording.directory : "i" + recording.id;
      let card = cards.get(key);
      if (used.has(key)) continue;
      if (!card) { card = makeCard(); cards.set(key, card); }
      used.add(key);
      updateCard(card, recording, now);
      if (card.item !== before) section.list.insertBefore(card.item, before);
      else before = before.nextSibling;
    }
    return section.element;
  }

  function dropUnused(used) {
    for (const [key, card] of cards) if (!used.has(key)) { card.item.remove(); cards.delete(key); }
  }

  function countOf(summary, name) {
    return GROUPS[name].states.reduce((sum, state) => sum + (summary.recordings[state] || 0), 0);
  }

  const tabs = new Map();
  function showTabs(summary) {
    let total = 0;
    for (const name of ["all", ...Object.keys(GROUPS)]) {
      let tab = tabs.get(name);
      if (!tab) {
        tab = { button: make("button"), name: make("span", "", T[name]), count: make("span", "count") };
        tab.button.type = "button";
        tab.button.append(tab.name, tab.count);
        tab.button.addEventListener("click", () => { group = name; offset = 0; refresh(); });
        $("tabs").append(tab.button);
        tabs.set(name, tab);
      }
      const count = name === "all" ? null : countOf(summary, name);
      if (count !== null) total += count;
      tab.button.setAttribute("aria-pressed", String(name === group));
      set(tab.count, count === null ? "" : String(count));
      tab.count.className = "count" + (count && name !== "given" ? " " + GROUPS[name].tone : "");
    }
    set(tabs.get("all").count, String(total));
    tabs.get("given").button.hidden = !countOf(summary, "given") && group !== "given";
    return total;
  }

  function showHeadline(summary, total) {
    const person = countOf(summary, "person"), waiting = countOf(summary, "waiting"), busy = countOf(summary, "busy");
    const [text, tone] = person ? [plural(T.headPerson, person), "bad"]
      : waiting ? [plural(T.headWaiting, waiting), "wait"]
      : busy ? [plural(T.headBusy, busy), "busy"]
      : [total ? T.headGood : T.nothing, "good"];
    $("headline").className = "headline " + tone;
    set($("headline"), text);
    document.title = (person ? "● " : "") + T.title + (instance ? " – " + instance : "");
  }

  let instance = "";
  function showHead(reply) {
    instance = reply.instance ? visible(reply.instance, 60) : "";
    set($("instance"), instance);
    const total = showTabs(reply.summary);
    showHeadline(reply.summary, total);
    return total;
  }

  async function showOverview(now) {
    const names = ["person", "waiting", "busy"];
    const unsafe = await list(names.flatMap((name) => GROUPS[name].states), PAGE * 2, 0);
    const safe = await list(GROUPS.safe.states, NEWEST_SAFE, 0);
    if (group !== "all") return;
    const used = new Set(), elements = [];
    showHead(safe);
    for (const name of names) {
      const recordings = unsafe.recordings.filter((recording) => GROUP_OF[recording.state] === name);
      const count = countOf(safe.summary, name);
      if (recordings.length) elements.push(showSection(name, T[name] + " · " + count, recordings, now, used));
    }
    if (safe.recordings.length) elements.push(showSection("newestSafe", T.newestSafe, safe.recordings, now, used));
    dropUnused(used);
    place(elements);
    $("pager").hidden = true;
  }

  async function showGroup(name, now) {
    const reply = await list(GROUPS[name].states, PAGE, offset);
    if (group !== name) return;
    const total = countOf(reply.summary, name), used = new Set();
    showHead(reply);
    if (offset && offset >= total) { offset = Math.max(0, Math.floor((total - 1) / PAGE) * PAGE); again = true; }
    const element = showSection(name, T[name], reply.recordings, now, used);
    dropUnused(used);
    place([element]);
    $("pager").hidden = total <= PAGE;
    set($("page-text"), fill(T.page, total ? offset + 1 : 0, offset + reply.recordings.length, total));
    $("newer").disabled = offset === 0;
    $("older").disabled = offset + PAGE >= total;
  }

  /* Moves nothing that is in its place already: the focus stays. */
  function place(elements) {
    const lists = $("lists");
    for (const child of [...lists.children]) if (!elements.includes(child)) child.remove();
    elements.forEach((element, index) => { if (lists.children[index] !== element) lists.insertBefore(element, lists.children[index] || null); });
  }

  /* ---- the rounds ---- */
  function wantToken(wrong) {
    $("content").hidden = true;
    $("token-form").hidden = false;
    $("token-wrong").hidden = !wrong;
    set($("contact"), "");
    if (document.activeElement !== $("token")) $("token").focus();
  }

  function lostContact(error) {
    $("contact").className = "lost";
    document.body.classList.add("stale");
    set($("contact"), error.reason ? fill(T.unreadable, visible(error.reason, 300))
      : fill(T.lost, lastContact ? CLOCK.format(lastContact) : CLOCK.format(new Date(started))));
  }
  const started = Date.now();

  async function refresh() {
    clearTimeout(timer);
    if (running) { again = true; return; }
    running = true;
    let pause = SLOW_MS;
    try {
      do {
        again = false;
        if (group === "all") await showOverview(Date.now()); else await showGroup(group, Date.now());
      } while (again);
      lastContact = new Date();
      $("token-form").hidden = true;
      $("content").hidden = false;
      $("contact").className = "";
      document.body.classList.remove("stale");
      set($("contact"), fill(T.updated, CLOCK.format(lastContact)));
      if (tabs.get("busy").count.textContent !== "0") pause = FAST_MS;
    } catch (error) {
      if (error instanceof NeedsToken) { wantToken(token !== ""); running = false; return; }
      lostContact(error);
      pause = FAST_MS;
    }
    running = false;
    if (!document.hidden) timer = setTimeout(refresh, pause);
  }

  function begin() {
    document.documentElement.lang = LANGUAGE;
    document.title = T.title;
    set($("title"), T.title);
    set($("contact"), T.loading);
    $("tabs").setAttribute("aria-label", T.states);
    set($("token-label"), T.tokenLabel);
    set($("token-help"), T.tokenHelp);
    set($("token-send"), T.tokenSend);
    set($("token-wrong"), T.tokenWrong);
    set($("newer"), T.newer);
    set($("older"), T.older);
    $("newer").addEventListener("click", () => { offset = Math.max(0, offset - PAGE); refresh(); });
    $("older").addEventListener("click", () => { offset += PAGE; refresh(); });
    $("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      token = $("token").value.trim();
      $("token").value = "";
      try { sessionStorage.setItem("jibri-token", token); } catch { /* as above */ }
      refresh();
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
    refresh();
  }
  begin();
})();
