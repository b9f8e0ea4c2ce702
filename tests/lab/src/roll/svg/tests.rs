use super::super::tracks::Span;
use super::*;

fn history() -> Vec<Track> {
    let span = |phase, from, to| Span { phase, from, to };
    let track = |node: &str, spans| Track {
        node: node.to_owned(),
        spans,
    };
    vec![
        track(
            "node-1",
            vec![
                span(Phase::Waiting, 0.0, 2.0),
                span(Phase::Draining, 2.0, 4.0),
                span(Phase::Rebooting, 4.0, 7.0),
                span(Phase::Recovering, 7.0, 8.0),
            ],
        ),
        track("a<b", vec![span(Phase::Waiting, 0.0, 8.0)]),
    ]
}

/// Tags that are open in the order in which they are closed, or where it is wrong.
fn well_formed(text: &str) -> Result<(), String> {
    let mut open = Vec::new();
    for piece in text.split('<').skip(1) {
        let (tag, content) = piece.split_once('>').ok_or(piece)?;
        if content.contains('>') && open.last() != Some(&"style") {
            return Err(format!("stray > in {content}"));
        }
        let quotes = tag.matches('"').count();
        if quotes % 2 == 1 {
            return Err(format!("open quote in {tag}"));
        }
        match tag.strip_prefix('/') {
            Some(name) if open.pop() == Some(name) => {}
            Some(name) => return Err(format!("</{name}> closes nothing")),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap_or_default()),
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("not closed: {open:?}"))
    }
}

/// Class, x, y and width of each bar of a phase.
fn bars(picture: &str) -> Vec<(String, f64, f64, f64)> {
    let value = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let number = |line: &str, name: &str| value(line, name).parse().unwrap();
    let lines = picture.lines();
    lines
        .filter(|line| line.starts_with("<rect") && line.contains("<title>"))
        .map(|line| {
            let (x, y) = (number(line, "x"), number(line, "y"));
            (value(line, "class"), x, y, number(line, "width"))
        })
        .collect()
}

#[test]
fn it_is_well_formed_whatever_the_names_are() {
    assert_eq!(well_formed(&svg("a & b", &history())), Ok(()));
    assert_eq!(well_formed(&svg("nothing", &[])), Ok(()));
    assert!(well_formed("<a><b></a>").is_err(), "the check can fail");
    assert!(well_formed("<a x=\"1></a>").is_err(), "the check can fail");
}

#[test]
fn bars_are_where_the_phases_were() {
    let picture = svg("t", &history());
    let bars = bars(&picture);
    let unit = (WIDTH - LEFT - RIGHT) / 8.0;
    let expected = [
        ("waiting", 0.0, 0.0, 2.0),
        ("draining", 2.0, 0.0, 2.0),
        ("rebooting", 4.0, 0.0, 3.0),
        ("recovering", 7.0, 0.0, 1.0),
        ("waiting", 0.0, 1.0, 8.0),
    ];
    assert_eq!(bars.len(), expected.len());
    for ((class, x, y, width), (phase, from, row, seconds)) in bars.iter().zip(expected) {
        assert_eq!(class, phase);
        assert!((x - (LEFT + from * unit)).abs() < 0.1, "{class}: {x}");
        assert!((width - seconds * unit).abs() < 0.1, "{class}: {width}");
        assert!((y - (TOP + row * ROW + (ROW - BAR) / 2.0)).abs() < 0.1);
    }
    for label in ["0 s", "8 s"] {
        assert!(picture.contains(&format!(">{label}</text>")), "{label}");
    }
    for phase in Phase::ALL {
        let name = phase.name();
        assert!(
            picture.contains(&format!(">{name}</text>")),
            "legend: {name}"
        );
    }
}

#[test]
fn nothing_leaves_the_picture_however_long_it_was() {
    for seconds in [0.4, 8.0, 37.0, 360.0, 4000.0] {
        let mut tracks = history();
        tracks[0].spans[3].to = f64::max(seconds, 7.1);
        for (class, x, _, width) in bars(&svg("t", &tracks)) {
            assert!(x >= LEFT && x + width <= WIDTH - RIGHT + 0.1, "{class}");
        }
        assert!(seconds / step(seconds) <= MAX_TICKS);
    }
    assert_eq!(step(37.0), 5.0);
    assert_eq!(step(360.0), 50.0);
}
