// What only the browser can do: take files by button or by drop, save files, hold dialogs, and turn keys into actions.
(() => {
  const trigger = (name, values = []) => window.trame.trigger(name, values);
  const set = (key, value) => window.trame.state.set(key, value);
  const get = (key) => window.trame.state.get(key);
  let request = null;
  let agreed = null;

  // Questions

  function ask(title, text, yes, action, values = []) {
    agreed = typeof action === "function" ? action : () => trigger(action, values);
    set("question", { title, text, yes });
  }

  function agree() {
    set("question", null);
    agreed?.();
  }

  // What is being typed is kept here: everything else on the page may change meanwhile.
  async function rename() {
    const typed = get("renaming");
    if (typed) await trigger("rename_segment", [typed.id, typed.name]);
    set("renaming", null);
  }

  // Files to the server

  function choose(kind) {
    document.querySelector(kind === "folder" ? "#folder" : "#files").click();
  }

  function chosen(input) {
    const files = [...input.files];
    input.value = "";
    send(files);
  }

  // A mask of any segment would be lost, not only that of the selected one, whose measurements are shown.
  function replaceScan(open) {
    if (get("scan") && (get("measures").length || get("segments").some((one) => one.points))) {
      const text = "The segments of the scan that is open are lost unless you have exported them.";
      ask("Open another scan?", text, "Open", open);
    } else open();
  }

  // Trying again is for what was asked of the engine, not for files.
  function say(words) {
    set("can_retry", false);
    set("error", words);
  }

  function send(files) {
    if (!files.length) return;
    if (request) say("Another scan is on its way; wait until it is there, or cancel it.");
    else replaceScan(() => upload(files));
  }

  function sample() {
    replaceScan(() => trigger("sample"));
  }

  function upload(files) {
    const form = new FormData();
    for (const file of files) form.append("file", file, file.name);
    request = new XMLHttpRequest();
    const name = files.length === 1 ? files[0].name : `${files.length} files`;
    const progress = (fraction) => set("upload", { name, fraction });
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : null);
    request.upload.onload = () => set("upload", null);
    request.onloadend = () => {
      const { status, responseText } = request;
      request = null;
      set("upload", null);
      if (status === 200) return;
      let words = "The files did not arrive; is the program that serves this page still running?";
      try { words = JSON.parse(responseText).error; } catch { /* No answer at all. */ }
      if (status !== 0 || !cancelled) say(words);
      cancelled = false;
    };
    progress(0);
    request.open("POST", "upload");
    request.send(form);
  }

  let cancelled = false;
  function cancelUpload() {
    cancelled = true;
    request?.abort();
  }

  async function filesOf(entry) {
    if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return found;
      for (const inner of some) found.push(...(await filesOf(inner)));
    }
  }

  const veil = () => document.querySelector("#drop");
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragenter", (event) => {
    if (carriesFiles(event) && veil()) veil().hidden = ++depth < 1;
  });
  window.addEventListener("dragleave", (event) => {
    if (carriesFiles(event) && --depth < 1 && veil()) veil().hidden = true;
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    if (veil()) veil().hidden = true;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return send([...event.dataTransfer.files]);
    send((await Promise.all(entries.map(filesOf))).flat());
  });

  // Files from the server

  async function save() {
    if (get("exporting")) return;
    const what = document.querySelector("#what").value;
    const ending = document.querySelector("#format").value;
    set("exporting", true);
    const address = await trigger("export", [what === "selected" ? "selected" : "all", ending, what === "each"]);
    set("exporting", false);
    if (!address) return;
    const link = document.createElement("a");
    link.href = address;
    link.download = "";
    link.click();
  }

  // Dialogs take the focus, keep it, and give it back.

  const dialog = () => document.querySelector(".veil [role=dialog]");
  let before = null;
  let seen = null;
  new MutationObserver(() => {
    const open = dialog();
    if (open && !open.contains(document.activeElement)) {
      before ??= document.activeElement;
      open.querySelector(".first").focus();
    } else if (!open && before) {
      if (before.isConnected) before.focus();
      before = null;
    }
    // A new segment at the end of a long list is brought into sight.
    const selected = document.querySelector(".segment.on");
    if (selected && selected !== seen) selected.scrollIntoView({ block: "nearest" });
    seen = selected;
  }).observe(document.documentElement, { childList: true, subtree: true });

  function onKeyInDialog(event, key) {
    if (key === "tab") {
      const stops = [...dialog().querySelectorAll("button")];
      const at = stops.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
      if (event.type === "keydown") stops.at(at % stops.length).focus();
    } else if (event.type === "keydown" && !event.repeat && (key === "escape" || (key === "?" && get("help_shown")))) {
      dialog().querySelector(".closes").click();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  // Keys

  const typing = (element) =>
    element?.closest?.("textarea, select, input:not([type=range]):not([type=checkbox]), [contenteditable]");

  const ofTheBrowser = { help: () => set("help_shown", !get("help_shown")) };

  function onKey(event) {
    if (!window.trame?.state || event.altKey) return;
    const key = event.key.toLowerCase();
    if (dialog()) return onKeyInDialog(event, key);
    // Sliders have a meaning of their own for arrows.
    if (typing(event.target) || (key.startsWith("arrow") && event.target.matches?.("input"))) return;
    const name = `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.shiftKey && key !== "?" ? "shift+" : ""}${key}`;
    const shortcut = get("shortcuts")?.find((one) => one.keys.includes(name));
    if (!shortcut) return;
    // The views have keys of their own for some of these.
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type !== "keydown" || (event.repeat && !shortcut.repeats) || (closeMenus(null) && key === "escape")) return;
    if (key === "escape" && get("error")) return trigger("dismiss_error");
    (ofTheBrowser[shortcut.action] ?? trigger.bind(null, shortcut.action))();
  }
  for (const type of ["keydown", "keypress", "keyup"]) window.addEventListener(type, onKey, true);

  // Menus close when something else is clicked; in a view, such a click means nothing else.
  function closeMenus(target) {
    const open = [...document.querySelectorAll("details.menu[open]")].filter((menu) => !menu.contains(target));
    for (const menu of open) {
      // What has the focus is about to vanish.
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    }
    return open.length > 0;
  }
  const onPicture = (element) => element.matches?.(".stage *:not(button, button *, input)");
  let swallowed = false;
  for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup"]) {
    window.addEventListener(type, (event) => {
      if (type === "pointerdown")
        swallowed = closeMenus(event.target) && onPicture(event.target);
      if (swallowed) event.stopImmediatePropagation();
    }, true);
  }

  // With Ctrl held, a drag over a plane sets window (sideways) and level (up and down).
  let dragged = null;
  const planeOf = (element) => (onPicture(element) ? element.closest(".view:not(.view-ThreeD)") : null);
  for (const type of ["pointerdown", "mousedown", "pointermove", "mousemove", "pointerup", "mouseup"]) {
    window.addEventListener(type, (event) => {
      const begins = type === "pointerdown" && event.button === 0 && (event.ctrlKey || event.metaKey);
      if (begins && planeOf(event.target) && get("scan")) dragged = dragFrom(event);
      if (!dragged) return;
      event.stopImmediatePropagation();
      if (type === "pointermove") adjustWindow(event);
      if (type === "mouseup" || (type === "pointermove" && !event.buttons)) dragged = null;
    }, true);
  }

  function dragFrom({ clientX: x, clientY: y, target }) {
    return { x, y, height: planeOf(target).clientHeight, width: get("window_width"), level: get("window_level") };
  }

  // In shares of the window that it began with: what suits a CT suits a scan whose numbers mean nothing.
  function adjustWindow(event) {
    const share = (pixels) => (2 * pixels) / dragged.height;
    const width = dragged.width * Math.exp(share(event.clientX - dragged.x));
    trigger("adjust_window", [width, dragged.level + dragged.width * share(dragged.y - event.clientY)]);
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest(".menu .sheet button")) event.target.closest(".menu").open = false;
  });

  // Views are told where the mouse is, but not that it has left them.
  const viewOf = (element) => element?.closest?.(".view");
  for (const [type, name] of [["mouseover", "enter"], ["mouseout", "leave"]]) {
    document.addEventListener(type, (event) => {
      const view = viewOf(event.target);
      if (!view || view === viewOf(event.relatedTarget)) return;
      trigger(name, [[...view.classList].find((one) => one.startsWith("view-")).slice("view-".length)]);
    });
  }

  // The key has been shown before; it need not stay in the address.
  if (window.location.hash.startsWith("#key=")) window.history.replaceState({}, "", "/");

  window.msamPage = { ask, agree, rename, choose, chosen, cancelUpload, sample, save };
})();
