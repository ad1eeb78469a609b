// Loads the game, shows how far that is, and tells in words what is wrong where something is.

const notice = document.getElementById("notice");
const text = document.getElementById("text");
const shown = document.getElementById("share");
const progress = document.getElementById("progress");
const again = document.getElementById("again");

// Longest wait for the first frame once the game has started, before the page looks at it anyway.
const PATIENCE = 15000;

// Winit leaves `main` with this exception, so that the browser's events go on.
const isControlFlow = (error) => String(error?.message ?? error).includes("exceptions for control flow");

// Where an error was thrown, as far as it tells: Chrome puts the message before the calls, others begin with the innermost one.
const place = (error) => /^\s+at .*$/m.exec(error?.stack)?.[0] ?? error?.stack?.split("\n")[0];

// What comes out of the game itself. Extensions and observers of the browser throw errors in this page too, also where the
// game called them.
const isOfGame = (error, file) =>
    error instanceof WebAssembly.RuntimeError || /\/game(_bg\.wasm|\.js)/.test(place(error) ?? file);

// What is shown as wrong, if anything: "trouble" that may pass once the game runs, or a "crash" that ended it.
let failed = "";

// A page that comes neither over https nor from this machine has no clipboard, as one that a friend opens over the local
// network. There it goes the old way, and where the browser refuses that too, the text is shown to be copied by hand.
function copy(words) {
    const area = Object.assign(document.createElement("textarea"), { value: words, readOnly: true });
    area.style.cssText = "position: fixed; opacity: 0";
    // The game copies too when it hears of it.
    area.addEventListener("copy", (event) => event.stopPropagation());
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    document.getElementById("game").focus();
    if (!copied) prompt("Copy this:", words);
    return Promise.resolve();
}
if (!navigator.clipboard) Object.defineProperty(navigator, "clipboard", { value: { writeText: copy } });

function fail(reason, kind = "trouble") {
    if (failed === "crash" || failed === kind) return;
    failed = kind;
    shown.textContent = "";
    text.textContent = reason;
    progress.hidden = true;
    again.hidden = false;
    notice.setAttribute("role", "alert");
    notice.hidden = false;
}

function tell(error) {
    if (isControlFlow(error)) return;
    const what = error?.message ?? String(error);
    const isCrash = error instanceof WebAssembly.RuntimeError;
    if (isCrash) fail("The game has stopped: an error in it ended it. The browser’s console tells more.", "crash");
    else fail(`The game cannot go on: ${what}`);
}

function missing() {
    if (typeof WebAssembly !== "object") {
        return "This browser has no WebAssembly, which the game is made of. A current Firefox, Chrome, Edge or Safari has.";
    }
    if (!document.createElement("canvas").getContext("webgl2")) {
        return "This browser offers no WebGL 2, which the game draws with. Turn on hardware acceleration in its settings, " +
            "or take a current Firefox, Chrome, Edge or Safari.";
    }
    return null;
}

// The game's code, with what arrived of it so far shown. The number of bytes is known from the build: a server that
// compresses does not tell.
async function load(url, total) {
    const response = await fetch(url).catch((error) => {
        throw new Error(`it could not be loaded (${error.message}). Is the server still there?`);
    });
    if (!response.ok) throw new Error(`the server answered ${response.status} for ${url}. Build the page again.`);
    let loaded = 0;
    const counted = response.body.pipeThrough(new TransformStream({
        transform(chunk, controller) {
            loaded += chunk.byteLength;
            progress.value = Math.min(1, loaded / total);
            const done = Math.round(progress.value * 100);
            if (done < 100) shown.textContent = ` ${done} %`;
            else [text.textContent, shown.textContent] = ["Starting …", ""];
            controller.enqueue(chunk);
        },
    }));
    return new Response(counted, { headers: { "content-type": "application/wasm" } });
}

again.addEventListener("click", () => location.reload());
window.addEventListener("error", (event) => {
    if (isOfGame(event.error, event.filename)) tell(event.error ?? event.message);
});
// A promise that was refused ends no game, but for a crash in what waited for it.
window.addEventListener("unhandledrejection", (event) => {
    if (isControlFlow(event.reason)) event.preventDefault();
    else if (event.reason instanceof WebAssembly.RuntimeError) tell(event.reason);
});
window.addEventListener("bevy-rooms:running", () => {
    performance.mark("first-frame");
    if (failed !== "crash") [failed, notice.hidden] = ["", true];
    document.getElementById("game").focus();
}, { once: true });

const reason = missing();
if (reason) {
    fail(reason);
} else {
    try {
        const [{ default: init }, code] =
            await Promise.all([import("./game.js"), load("game_bg.wasm", Number(notice.dataset.bytes))]);
        await init({ module_or_path: code });
    } catch (error) {
        tell(error);
    }
    setTimeout(() => { if (!failed) notice.hidden = true; }, PATIENCE);
}
