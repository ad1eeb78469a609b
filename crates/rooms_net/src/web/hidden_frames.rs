//! Frames and timers for a hidden page.
//!
//! A browser gives a hidden page no frames, and lets its timers run once a second, later once a minute. The timers of a worker
//! go on. So all requests for frames come here first. While the page is visible, the browser gives the frames; while it is
//! hidden, the ticks of a worker do.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::{Rc, Weak},
};

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::{Blob, BlobPropertyBag, Document, Url, Window, Worker};

use super::{listener::Listener, page::window, timeout};

/// What the worker does: a tick 100 ms after the one before, and not before the page has taken that one, so that none pile up
/// where frames take longer. Ticks come more often than every 250 ms, which is the longest frame that Bevy's clock counts.
const SCRIPT: &str = "let due = 0; onmessage = () => { const now = performance.now(); due = Math.max(due + 100, now); \
                      setTimeout(() => postMessage(0), due - now); }";

/// Before the first of our own numbers of requests: far from the browser's, which begin at 1.
const OWN_IDS: u32 = 1 << 30;

const REQUEST: &str = "requestAnimationFrame";
const CANCEL: &str = "cancelAnimationFrame";

/// A hidden page gets ten frames a second until this is dropped.
pub struct HiddenFrames {
    frames: Rc<Frames>,
    _request: Closure<dyn FnMut(Function) -> u32>,
    _cancel: Closure<dyn FnMut(u32)>,
    _visibility: Listener,
}

thread_local! {
    /// One for all games of the page: each further one would have to be removed before the ones that came earlier.
    static SHARED: RefCell<Weak<HiddenFrames>> = RefCell::default();
}

impl HiddenFrames {
    /// Takes over the page's requests for frames, unless another game of the page did so. `None` where there is no page, as in a
    /// worker.
    pub fn share() -> Option<Rc<Self>> {
        if let Some(shared) = SHARED.with_borrow(Weak::upgrade) {
            return Some(shared);
        }
        let started = Rc::new(Self::start()?);
        SHARED.set(Rc::downgrade(&started));
        Some(started)
    }

    fn start() -> Option<Self> {
        let window = window()?;
        let document = window.document()?;
        let own = |name| Reflect::get(&window, &JsValue::from_str(name)).ok()?.dyn_into::<Function>().ok();
        let frames = Frames::new(&window, own(REQUEST)?, own(CANCEL)?);

        let (requests, cancels) = (Rc::clone(&frames), Rc::clone(&frames));
        let request = Closure::<dyn FnMut(Function) -> u32>::new(move |callback| requests.request(callback));
        let cancel = Closure::<dyn FnMut(u32)>::new(move |id| cancels.cancel(id));
        set(&window, REQUEST, request.as_ref());
        set(&window, CANCEL, cancel.as_ref());

        let worker = RefCell::new(None);
        let watched_frames = Rc::clone(&frames);
        let watch = move |document: &Document| {
            *worker.borrow_mut() = document.hidden().then(|| TickWorker::start(&watched_frames)).flatten();
        };
        watch(&document);
        let watched = document.clone();
        let visibility = Listener::new(&document, "visibilitychange", move |_| watch(&watched));
        Some(Self { frames, _request: request, _cancel: cancel, _visibility: visibility })
    }
}

impl Drop for HiddenFrames {
    fn drop(&mut self) {
        self.frames.give_back();
    }
}

impl fmt::Debug for HiddenFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HiddenFrames").finish_non_exhaustive()
    }
}

fn set(window: &Window, name: &str, function: &JsValue) {
    // Only fails if a script has sealed the window.
    let _ = Reflect::set(window, &JsValue::from_str(name), function);
}

/// The callbacks that wait for a frame.
struct Frames {
    window: Window,
    /// The browser's own functions, which are put back in the end.
    native_request: Function,
    native_cancel: Function,
    waiting: RefCell<BTreeMap<u32, Function>>,
    count: Cell<u32>,
    /// The frame that the browser was asked for and has not given yet.
    asked: RefCell<Option<JsValue>>,
    on_frame: Closure<dyn FnMut(f64)>,
}

impl Frames {
    fn new(window: &Window, native_request: Function, native_cancel: Function) -> Rc<Self> {
        Rc::new_cyclic(|frames: &Weak<Self>| {
            let frames = Weak::clone(frames);
            let on_frame = Closure::new(move |time| {
                if let Some(frames) = frames.upgrade() {
                    frames.asked.take();
                    frames.run(time);
                }
            });
            let (waiting, count, asked) = (RefCell::default(), Cell::new(OWN_IDS), RefCell::new(None));
            Self { window: window.clone(), native_request, native_cancel, waiting, count, asked, on_frame }
        })
    }

    fn request(&self, callback: Function) -> u32 {
        let id = self.count.get().wrapping_add(1);
        self.count.set(id);
        self.waiting.borrow_mut().insert(id, callback);
        let mut asked = self.asked.borrow_mut();
        if asked.is_none() {
            // Never refused.
            *asked = self.native_request.call1(&self.window, self.on_frame.as_ref()).ok();
        }
        id
    }

    /// Puts the browser's own functions back, and hands the callbacks that wait to the browser.
    fn give_back(&self) {
        set(&self.window, REQUEST, &self.native_request);
        set(&self.window, CANCEL, &self.native_cancel);
        if let Some(asked) = self.asked.take() {
            let _ = self.native_cancel.call1(&self.window, &asked);
        }
        for callback in self.waiting.take().into_values() {
            let _ = self.native_request.call1(&self.window, &callback);
        }
    }

    fn cancel(&self, id: u32) {
        // A small number is from before the functions were replaced, so it is the browser's.
        if id < OWN_IDS {
            let _ = self.native_cancel.call1(&self.window, &id.into());
        }
        self.waiting.borrow_mut().remove(&id);
    }

    /// Calls the callbacks that wait now. One that asks again gets the next frame. An error in one is reported as the browser
    /// would report it, and the others are called all the same.
    fn run(&self, time: f64) {
        let ids: Vec<u32> = self.waiting.borrow().keys().copied().collect();
        for id in ids {
            let callback = self.waiting.borrow_mut().remove(&id);
            if let Some(Err(error)) = callback.map(|callback| callback.call1(&JsValue::UNDEFINED, &time.into())) {
                self.report(&error);
            }
        }
    }

    fn report(&self, error: &JsValue) {
        let report = Reflect::get(&self.window, &JsValue::from_str("reportError"));
        let report = report.ok().and_then(|report| report.dyn_into::<Function>().ok());
        if report.is_none_or(|report| report.call1(&self.window, error).is_err()) {
            log::error!("an error in a frame: {error:?}");
        }
    }

    fn tick(&self) {
        timeout::fire_those_due();
        let time = self.window.performance().map_or(0.0, |performance| performance.now());
        self.run(time);
    }
}

/// A worker that ticks until it is dropped.
struct TickWorker {
    worker: Worker,
    _on_tick: Closure<dyn FnMut()>,
    _on_error: Closure<dyn FnMut()>,
}

impl TickWorker {
    fn start(frames: &Rc<Frames>) -> Option<Self> {
        match start_worker() {
            Ok(worker) => {
                let frames = Rc::clone(frames);
                let ticking = worker.clone();
                let on_tick = Closure::<dyn FnMut()>::new(move || {
                    frames.tick();
                    want_tick(&ticking);
                });
                worker.set_onmessage(Some(on_tick.as_ref().unchecked_ref()));
                want_tick(&worker);
                // The browser reports a policy that forbids the worker only later, as an error.
                let on_error = Closure::<dyn FnMut()>::new(|| warn_of_pause("it did not start"));
                worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
                Some(Self { worker, _on_tick: on_tick, _on_error: on_error })
            }
            Err(error) => {
                warn_of_pause(&format!("{error:?}"));
                None
            }
        }
    }
}

fn want_tick(worker: &Worker) {
    // Fails only for what cannot be copied.
    let _ = worker.post_message(&JsValue::NULL);
}

fn warn_of_pause(why: &str) {
    log::warn!(
        "the game stops while its page is hidden, since the browser starts no worker ({why}); if the page has a content \
         security policy, add \"worker-src blob:\" to it"
    );
}

impl Drop for TickWorker {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn start_worker() -> Result<Worker, JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type("text/javascript");
    let blob = Blob::new_with_str_sequence_and_options(&Array::of1(&SCRIPT.into()), &options)?;
    let url = Url::create_object_url_with_blob(&blob)?;
    let worker = Worker::new(&url);
    Url::revoke_object_url(&url)?;
    worker
}
