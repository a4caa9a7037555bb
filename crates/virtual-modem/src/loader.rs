//! What is behind the port: a boot loader of either protocol, or something that isn't one.

use modem_protocol::hdlc;
use modem_protocol::qdl::message::{Request, Response};
use modem_world::Instant;

use crate::board::Board;
use crate::modem::Setup;
use crate::profile::Protocol;
use crate::qdl::Qdl;
use crate::quirk::Mode;
use crate::sahara::Sahara;

/// What answers.
#[derive(Debug)]
pub(crate) enum Loader {
    /// Off the bus.
    Off,
    Qdl(Qdl),
    Sahara(Sahara),
    /// DIAG of running firmware: every frame comes back with 0x13 in front, without leading flag.
    Diag(hdlc::Decoder),
    Echo,
    Foreign,
    Pbl(hdlc::Decoder),
    Dead,
}

impl Loader {
    pub(crate) fn new(mode: Mode, setup: &Setup) -> Self {
        match (mode, setup.profile.protocol) {
            (Mode::Download, Protocol::Qdl(traits)) => Self::Qdl(Qdl::new(traits)),
            (Mode::Download, Protocol::Sahara(traits)) => Self::Sahara(Sahara::new(traits, None)),
            (Mode::RamDump(dump), Protocol::Sahara(traits)) => Self::Sahara(Sahara::new(traits, Some(dump))),
            (Mode::RamDump(dump), Protocol::Qdl(_)) => {
                Self::Sahara(Sahara::new(Sahara::CRASHED_QDL, Some(dump)))
            }
            (Mode::Normal | Mode::Diag, _) => Self::Diag(hdlc::Decoder::default()),
            (Mode::Echo, _) => Self::Echo,
            (Mode::Foreign, _) => Self::Foreign,
            (Mode::Pbl, _) => Self::Pbl(hdlc::Decoder::default()),
            (Mode::Dead, _) => Self::Dead,
        }
    }

    pub(crate) fn attached(&mut self, board: &mut Board, now: Instant) {
        if let Self::Sahara(sahara) = self {
            sahara.attached(board, now);
        }
    }

    pub(crate) fn opened(&mut self, board: &mut Board, now: Instant) {
        if let Self::Sahara(sahara) = self {
            sahara.opened(board, now);
        }
    }

    pub(crate) fn closed(&mut self, board: &Board) {
        if let Self::Sahara(sahara) = self {
            sahara.closed(board);
        }
    }

    /// It is off the bus: an image that was being written stays as it is.
    pub(crate) fn left(&mut self, board: &mut Board) {
        match self {
            Self::Qdl(qdl) => qdl.give_up(board),
            Self::Sahara(sahara) => sahara.give_up(board),
            _ => {}
        }
    }

    /// Whether image bytes are due.
    pub(crate) fn in_data(&self) -> bool {
        match self {
            Self::Qdl(qdl) => qdl.in_data(),
            Self::Sahara(sahara) => sahara.in_data(),
            _ => false,
        }
    }

    /// When it wants to be asked again, however quiet the host is.
    pub(crate) fn timer(&self, board: &Board) -> Instant {
        match self {
            Self::Qdl(qdl) => qdl.timer(board),
            Self::Sahara(sahara) => sahara.timer(board),
            _ => Instant::FAR,
        }
    }

    pub(crate) fn tick(&mut self, board: &mut Board, now: Instant) {
        match self {
            Self::Qdl(qdl) => qdl.tick(board, now),
            Self::Sahara(sahara) => sahara.tick(board, now),
            _ => {}
        }
    }

    pub(crate) fn receive(&mut self, interface: u8, bytes: &[u8], board: &mut Board, now: Instant) {
        match self {
            Self::Off | Self::Dead => {}
            Self::Qdl(qdl) => qdl.receive(bytes, board, now),
            Self::Sahara(sahara) => sahara.receive(bytes, board, now),
            Self::Echo => board.answer(bytes.to_vec(), now),
            Self::Foreign => board.answer(b"\r\nlogin: ".to_vec(), now),
            Self::Diag(decoder) => {
                decoder.push(bytes);
                while let Some(frame) = decoder.next_frame() {
                    if let Ok(echo) = frame {
                        let mut answer = Response::DiagBadCommand { echo }.frame();
                        // DIAG frames have no leading flag (em7455_sdp-0x13 trace).
                        answer.remove(0);
                        let at = now + board.setup.timings.answer;
                        let _ = board.say_on(interface, answer, at);
                    }
                }
            }
            Self::Pbl(decoder) => {
                decoder.push(bytes);
                while let Some(frame) = decoder.next_frame() {
                    // Only this answer is captured (mc7750_05c6-9008 trace).
                    if frame.is_ok_and(|payload| Request::parse(&payload) == Ok(Request::Nop)) {
                        board.answer(Response::DloadNak { reason: 6 }.frame(), now);
                    }
                }
            }
        }
    }
}
