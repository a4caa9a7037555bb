//! The driver against a port that takes everything and says nothing.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use modem_protocol::conversation;
use test_support::{Behind, OnePort, PORT};

use super::*;

fn drive(
    world: &mut dyn World,
    port: PortHandle,
    conversation: &mut dyn Conversation,
    feed: &mut dyn ImageFeed,
    buffers: &mut Buffers,
    stops: &mut Stops,
    note: &mut dyn FnMut(Instant, Note),
) -> Result<(), DriveError> {
    let mut driver = Driver {
        world,
        port,
        buffers,
        stops,
        is_patient: false,
        note,
    };
    driver.drive(&mut DownloadConversation(conversation), feed)
}

/// Takes everything and says nothing, and its clock jumps to each deadline.
#[derive(Default)]
struct Silent {
    now: Rc<Cell<Instant>>,
    written: Vec<u8>,
    /// How often it was written to and read from.
    writes: usize,
    reads: usize,
    /// It says that it takes more, at once.
    takes_more: bool,
    cancels: u32,
    is_gone: bool,
}

type Mute = OnePort<Silent>;

impl Behind for Silent {
    const ID: &'static str = "p";

    fn now(&self) -> Instant {
        self.now.get()
    }
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let writable = Interest::Writable(PORT);
        if self.takes_more && interests.contains(&writable) {
            return Wake::Writable(PORT);
        }
        if self.cancels > 0 {
            self.cancels -= 1;
            return Wake::Cancelled;
        }
        self.now.set(self.now.get().max(deadline));
        Wake::Deadline
    }
    fn try_read(&mut self, _: &mut [u8]) -> Result<usize, PortErrorKind> {
        self.reads += 1;
        if self.is_gone {
            return Err(PortErrorKind::Gone);
        }
        Ok(0)
    }
    fn try_write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        self.writes += 1;
        let count = bytes.len().min(1000);
        self.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

/// Asks for what it is told to, one after the other, then waits for ever or finishes when all is written.
struct Scripted {
    actions: Vec<Action>,
    pending: u64,
    stopped: bool,
    closed: bool,
    at_end: Option<Action>,
}

impl Scripted {
    fn new(actions: Vec<Action>, at_end: Option<Action>) -> Self {
        Self {
            actions,
            pending: 0,
            stopped: false,
            closed: false,
            at_end,
        }
    }
}

const STEP: conversation::Step = conversation::Step::Hello;

impl Conversation for Scripted {
    fn receive(&mut self, _: &[u8], _: Instant) {}
    fn wrote(&mut self, _: usize, left: u64, _: Instant) {
        self.pending = left;
    }
    fn closed(&mut self, _: Instant) {
        self.closed = true;
    }
    fn stop(&mut self) {
        self.stopped = true;
    }
    fn poll(&mut self, now: Instant) -> Result<Action, ProtocolError> {
        if self.closed {
            return Err(ProtocolError::Left { step: STEP });
        }
        if self.pending > 0 {
            return Ok(Action::Wait {
                until: now + Duration::from_secs(1),
            });
        }
        if self.actions.is_empty() {
            return Ok(self.at_end.clone().unwrap_or(Action::Wait { until: now }));
        }
        let action = self.actions.remove(0);
        self.pending = match &action {
            Action::Send(_) | Action::SendImage(_) => 1,
            _ => 0,
        };
        Ok(action)
    }
}

struct Counted(u64);

impl ImageFeed for Counted {
    fn size(&self, _: usize) -> u64 {
        u64::MAX
    }

    fn fill(&mut self, _: usize, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Cause> {
        assert_eq!(range.end - range.start, buffer.len() as u64);
        self.0 += 1;
        buffer.fill(7);
        Ok(())
    }
}

fn driven(world: &mut Mute, conversation: &mut Scripted) -> (Result<(), DriveError>, u32) {
    let mut stops = Stops::default();
    let mut buffers = Buffers::default();
    let note = &mut |_: Instant, _: Note| {};
    let result = drive(
        world,
        PORT,
        conversation,
        &mut Counted(0),
        &mut buffers,
        &mut stops,
        note,
    );
    (result, stops.asked())
}

#[test]
fn output_arrives_whole_in_short_writes() {
    let stretch = Stretch {
        image: 0,
        header: vec![1, 2, 3],
        range: 10..5010,
        padding: 9000,
    };
    let actions = vec![Action::Send(vec![9; 2500]), Action::SendImage(stretch)];
    let mut world = Mute::default();
    let (result, _) = driven(&mut world, &mut Scripted::new(actions, Some(Action::Finished)));
    assert_eq!(result, Ok(()));
    let mut expected = vec![9; 2500];
    expected.extend([1, 2, 3]);
    expected.extend([7; 5000]);
    expected.extend([0; 9000]);
    assert_eq!(world.written, expected);
}

#[test]
fn a_port_that_only_takes_bytes_is_neither_read_nor_written_in_vain() {
    let actions = vec![Action::Send(vec![9; 8500])];
    let mut world = OnePort(Silent {
        takes_more: true,
        ..Silent::default()
    });
    let (result, _) = driven(&mut world, &mut Scripted::new(actions, Some(Action::Finished)));
    assert_eq!(result, Ok(()));
    assert_eq!(world.written.len(), 8500);
    // 1000 bytes each; read once, before anything is known of the port.
    assert_eq!((world.writes, world.reads), (9, 1));
}

/// An image on a medium that takes half a minute for each stretch.
struct Slow(Rc<Cell<Instant>>);

impl ImageFeed for Slow {
    fn size(&self, _: usize) -> u64 {
        3000
    }

    fn fill(&mut self, _: usize, _: Range<u64>, _: &mut [u8]) -> Result<(), Cause> {
        self.0.set(self.0.get() + Duration::from_secs(30));
        Ok(())
    }
}

#[test]
fn what_is_written_after_a_slow_read_is_told_with_the_time_after_it() {
    let actions = [0..1000, 1000..2000].map(|range| {
        Action::SendImage(Stretch {
            image: 0,
            header: Vec::new(),
            range,
            padding: 0,
        })
    });
    let mut world = Mute::default();
    let mut feed = Slow(Rc::clone(&world.now));
    let mut told = Vec::new();
    let result = drive(
        &mut world,
        PORT,
        &mut Scripted::new(actions.to_vec(), Some(Action::Finished)),
        &mut feed,
        &mut Buffers::default(),
        &mut Stops::default(),
        &mut |now: Instant, _: Note| told.push(now),
    );
    assert_eq!(result, Ok(()));
    let first = Instant::START + Duration::from_secs(30);
    assert_eq!(told, [first, first + Duration::from_secs(30)]);
}

/// An image of 3000 bytes that notes what is read of it.
#[derive(Default)]
struct Noted(Vec<Range<u64>>);

impl ImageFeed for Noted {
    fn size(&self, _: usize) -> u64 {
        3000
    }

    fn fill(&mut self, _: usize, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Cause> {
        assert!(range.end <= 3000, "{range:?}");
        for (place, byte) in range.clone().zip(buffer.iter_mut()) {
            *byte = u8::try_from(place % 251).unwrap();
        }
        self.0.push(range);
        Ok(())
    }
}

#[test]
fn the_next_stretch_is_read_while_an_answer_is_awaited_and_only_used_where_it_is_the_one_asked_for() {
    let ranges = [0..1000, 1000..2000, 2000..2500, 0..1000];
    let mut actions = Vec::new();
    for range in ranges.clone() {
        actions.push(Action::SendImage(Stretch {
            image: 0,
            header: Vec::new(),
            range,
            padding: 0,
        }));
        // The answer takes a second.
        actions.push(Action::Wait {
            until: Instant::START + Duration::from_secs(1),
        });
    }
    let mut world = Mute::default();
    let mut feed = Noted::default();
    let result = drive(
        &mut world,
        PORT,
        &mut Scripted::new(actions, Some(Action::Finished)),
        &mut feed,
        &mut Buffers::default(),
        &mut Stops::default(),
        &mut |_: Instant, _: Note| {},
    );
    assert_eq!(result, Ok(()));
    let expected: Vec<u8> = ranges
        .into_iter()
        .flatten()
        .map(|place| u8::try_from(place % 251).unwrap())
        .collect();
    assert!(world.written == expected);
    // Asked for; ahead; ahead, of which half is used; ahead to the end; from the start again; ahead.
    assert_eq!(
        feed.0,
        [0..1000, 1000..2000, 2000..3000, 2500..3000, 0..1000, 1000..2000]
    );
}

#[test]
fn a_conversation_that_ignores_its_deadline_is_a_bug_and_no_endless_loop() {
    let (result, _) = driven(&mut Mute::default(), &mut Scripted::new(Vec::new(), None));
    assert!(
        matches!(result, Err(DriveError::Cause(Cause::Bug { .. }))),
        "{result:?}"
    );
}

#[test]
fn a_stretch_larger_than_allowed_is_a_bug() {
    for range in [0..Stretch::LARGEST + 1, Range { start: 5, end: 4 }, 0..u64::MAX] {
        let stretch = Stretch {
            image: 0,
            header: Vec::new(),
            range,
            padding: 0,
        };
        let actions = vec![Action::SendImage(stretch)];
        let (result, _) = driven(&mut Mute::default(), &mut Scripted::new(actions, None));
        assert!(
            matches!(result, Err(DriveError::Cause(Cause::Bug { .. }))),
            "{result:?}"
        );
    }
}

#[test]
fn the_first_wish_to_stop_reaches_the_conversation_and_the_second_ends_at_once() {
    let far = Some(Action::Wait { until: Instant::FAR });
    let mut conversation = Scripted::new(Vec::new(), far);
    let mut world = OnePort(Silent {
        cancels: 2,
        ..Silent::default()
    });
    let (result, stops) = driven(&mut world, &mut conversation);
    assert_eq!(result, Err(DriveError::StoppedNow));
    assert_eq!(stops, 2);
    assert!(conversation.stopped);
}

#[test]
fn a_port_that_has_gone_is_told_to_the_conversation() {
    let far = Some(Action::Wait { until: Instant::FAR });
    let mut world = OnePort(Silent {
        is_gone: true,
        ..Silent::default()
    });
    let (result, _) = driven(&mut world, &mut Scripted::new(Vec::new(), far));
    assert_eq!(
        result,
        Err(DriveError::Protocol(ProtocolError::Left { step: STEP }))
    );
}

#[test]
fn a_slot_goes_out_as_header_body_and_zeros() {
    let stretch = [1_u8, 2, 3, 9, 9];
    let mut slot = Slot {
        header: vec![7, 8],
        image: Some((0, 400)),
        body: 3,
        padding: 5000,
        taken: 0,
        is_refused: false,
    };
    let mut out = Vec::new();
    while slot.left() > 0 {
        let piece = slot.piece(&stretch).to_vec();
        assert!(!piece.is_empty());
        // Takes an odd number of bytes at a time.
        let taken = piece.len().min(3);
        out.extend_from_slice(&piece[..taken]);
        slot.taken += taken;
    }
    let mut expected = vec![7, 8, 1, 2, 3];
    expected.resize(5 + 5000, 0);
    assert_eq!(out, expected);
    assert_eq!(slot.sent(), Some((0, 403)));
}
