//! What is behind the port: a boot loader of either protocol, running firmware, or something else.

use modem_protocol::hdlc;
use modem_protocol::qdl::message::{Request, Response};
use modem_world::Instant;

use crate::board::Board;
use crate::firmware::{self, Running};
use crate::layout::Layout;
use crate::profile::Protocol;
use crate::qdl::Qdl;
use crate::quirk::Mode;
use crate::sahara::Sahara;

/// What answers on the port.
#[derive(Debug)]
pub(crate) enum Loader {
    /// Off the bus.
    Off,
    Qdl(Qdl),
    Sahara(Sahara),
    /// Running firmware, on several interfaces.
    Running(Box<Running>),
    /// The DIAG port of running firmware on the only interface.
    Diag(hdlc::Decoder),
    Echo,
    Foreign,
    Pbl(hdlc::Decoder),
    Dead,
}

impl Loader {
    pub(crate) fn new(mode: Mode, layout: &Layout, board: &Board, now: Instant) -> Self {
        match (mode, board.setup.profile.protocol) {
            (Mode::Download, Protocol::Qdl(traits)) => Self::Qdl(Qdl::new(traits)),
            (Mode::Download, Protocol::Sahara(traits)) => Self::Sahara(Sahara::new(traits, None)),
            (Mode::RamDump(dump), Protocol::Sahara(traits)) => Self::Sahara(Sahara::new(traits, Some(dump))),
            (Mode::RamDump(dump), Protocol::Qdl(_)) => {
                Self::Sahara(Sahara::new(Sahara::CRASHED_QDL, Some(dump)))
            }
            (Mode::Normal, _) => Self::Running(Box::new(Running::new(layout, board, now))),
            (Mode::Diag, _) => Self::Diag(hdlc::Decoder::default()),
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

    pub(crate) fn opened(&mut self, interface: u8, board: &mut Board, now: Instant) {
        match self {
            Self::Sahara(sahara) => sahara.opened(board, now),
            Self::Running(running) => running.opened(interface, board),
            _ => {}
        }
    }

    pub(crate) fn closed(&mut self, interface: u8, board: &mut Board, now: Instant) {
        match self {
            Self::Sahara(sahara) => sahara.closed(board),
            Self::Running(running) => running.closed(interface, board, now),
            _ => {}
        }
    }

    /// The host raises or drops DTR.
    pub(crate) fn terminal_ready(&mut self, interface: u8, is_ready: bool) {
        if let Self::Running(running) = self {
            running.terminal_ready(interface, is_ready);
        }
    }

    /// Whether the modem runs its firmware. Only a boot loader is limited by the speed of its flash.
    pub(crate) const fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// The modem has left the bus: an image that was being written stays as it is.
    pub(crate) fn left(&mut self, board: &mut Board) {
        match self {
            Self::Qdl(qdl) => qdl.give_up(board),
            Self::Sahara(sahara) => sahara.give_up(board),
            _ => {}
        }
    }

    /// Whether the boot loader has switched to Firehose.
    pub(crate) const fn speaks_firehose(&self) -> bool {
        matches!(self, Self::Sahara(sahara) if sahara.speaks_firehose())
    }

    /// Whether the boot loader expects image bytes.
    pub(crate) fn in_data(&self) -> bool {
        match self {
            Self::Qdl(qdl) => qdl.in_data(),
            Self::Sahara(sahara) => sahara.in_data(),
            _ => false,
        }
    }

    /// When to call [`tick`](Self::tick) again, even if the host stays silent.
    pub(crate) fn timer(&self, board: &Board) -> Instant {
        match self {
            Self::Qdl(qdl) => qdl.timer(board),
            Self::Sahara(sahara) => sahara.timer(board),
            Self::Running(running) => running.timer(board),
            _ => Instant::FAR,
        }
    }

    pub(crate) fn tick(&mut self, board: &mut Board, now: Instant) {
        match self {
            Self::Qdl(qdl) => qdl.tick(board, now),
            Self::Sahara(sahara) => sahara.tick(board, now),
            Self::Running(running) => running.tick(board, now),
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
            Self::Running(running) => running.receive(interface, bytes, board, now),
            Self::Diag(decoder) => firmware::diag(interface, decoder, bytes, board, now),
            Self::Pbl(decoder) => {
                decoder.push(bytes);
                while let Some(frame) = decoder.next_frame() {
                    // No other answer of this boot loader has been captured (mc7750_05c6-9008 trace).
                    if frame.is_ok_and(|payload| Request::parse(&payload) == Ok(Request::Nop)) {
                        board.answer(Response::DloadNak { reason: 6 }.frame(), now);
                    }
                }
            }
        }
    }
}
