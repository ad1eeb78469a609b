//! The modes of an attachment by their names.

use rooms_protocol::Flags;

/// The param that names modes.
pub(crate) const MODES: &str = "modes";

/// Names of the modes in `params.modes`, in the order in which clients list them. The relay grants the first five.
const MODE_NAMES: [(&str, Flags); 8] = [
    ("presence", Flags::PRESENCE),
    ("publish", Flags::PUBLISH),
    ("subscribe", Flags::SUBSCRIBE),
    ("presence_subscribe", Flags::PRESENCE_SUBSCRIBE),
    ("annotation_publish", Flags::ANNOTATION_PUBLISH),
    ("annotation_subscribe", Flags::empty()),
    ("object_subscribe", Flags::empty()),
    ("object_publish", Flags::empty()),
];

/// The modes that a text such as `publish,subscribe` names. `None` where it names one that does not exist.
pub(crate) fn parse_modes(text: &str) -> Option<Flags> {
    text.split(',').try_fold(Flags::empty(), |modes, name| {
        let known = MODE_NAMES.iter().find(|(known, _)| *known == name.trim());
        known.map(|&(_, mode)| modes | mode)
    })
}

/// The names of modes, as `params.modes` lists them.
pub(crate) fn mode_names(modes: Flags) -> String {
    let granted = MODE_NAMES.iter().filter(|(_, mode)| !mode.is_empty() && modes.contains(*mode));
    granted.map(|&(name, _)| name).collect::<Vec<_>>().join(",")
}
