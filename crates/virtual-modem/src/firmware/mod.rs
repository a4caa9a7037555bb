//! The running firmware: what answers on each interface of a modem in normal mode.
//!
//! The ports share one [`Core`]: operating mode, QMI clients, and what is unlocked. What outlives a restart
//! is in the board's [`Storage`](crate::storage::Storage). The conversations were written from the
//! specification, independently of the host's side; both sides share only the message types.

mod at;
mod at_settings;
mod basic_connect;
mod clients;
mod core;
mod dms;
mod mbim;
mod qmi;

use std::time::Duration;

use modem_protocol::hdlc;
use modem_protocol::qdl::message::Response;
use modem_world::Instant;

use crate::board::Board;
use crate::layout::{FunctionKind, Layout};
use crate::violation::Wrong;

pub(crate) use self::core::Core;
use at::AtPort;
use mbim::MbimPort;
use qmi::QmiPort;

/// Receivers print their lines once a second (NMEA 0183).
const NMEA_PERIOD: Duration = Duration::from_secs(1);
/// at.md vector 6.
const NMEA_LINE: &[u8] = b"$GPGSV,1,1,00*79\r\n";

/// The firmware of one modem, from its appearance on the bus until the modem leaves.
#[derive(Debug)]
pub(crate) struct Running {
    core: Core,
    ports: Vec<Port>,
    /// Whether the QMI ports have announced that the modem has started.
    is_announced: bool,
    next_position: Instant,
}

#[derive(Debug)]
struct Port {
    interface: u8,
    is_open: bool,
    answers: Answers,
}

/// What answers on a port.
#[derive(Debug)]
enum Answers {
    /// Sends every frame back with 0x13 in front, without a leading flag.
    Diag(hdlc::Decoder),
    At(AtPort),
    Qmi(QmiPort),
    Mbim(MbimPort),
    Nmea,
    Nothing,
}

impl Running {
    /// Starts the firmware: it has booted and is on the bus with these interfaces.
    pub(crate) fn new(layout: &Layout, board: &Board, now: Instant) -> Self {
        let ports = layout.interfaces.iter().map(|function| Port {
            interface: function.number,
            is_open: false,
            answers: match function.kind {
                FunctionKind::Diag => Answers::Diag(hdlc::Decoder::default()),
                FunctionKind::At => Answers::At(AtPort::default()),
                FunctionKind::Qmi => Answers::Qmi(QmiPort::new(&board.setup)),
                FunctionKind::MbimControl => Answers::Mbim(MbimPort::default()),
                FunctionKind::Nmea => Answers::Nmea,
                _ => Answers::Nothing,
            },
        });
        Self {
            core: Core::new(board),
            ports: ports.collect(),
            is_announced: false,
            next_position: if board.setup.quirks.prints_positions {
                now
            } else {
                Instant::FAR
            },
        }
    }

    pub(crate) const fn core(&self) -> &Core {
        &self.core
    }

    /// The host begins to read from a port.
    pub(crate) fn opened(&mut self, interface: u8, board: &Board) {
        if let Some(port) = self.port(interface) {
            port.is_open = true;
            if let Answers::Qmi(qmi) = &mut port.answers {
                qmi.opened(&board.setup);
            }
        }
    }

    /// The host stops reading from a port.
    pub(crate) fn closed(&mut self, interface: u8, board: &mut Board, now: Instant) {
        let count = self.core.clients.count(interface);
        let Some(port) = self.port(interface) else { return };
        port.is_open = false;
        match &mut port.answers {
            Answers::Qmi(_) => {}
            Answers::Mbim(mbim) => mbim.closed(),
            Answers::At(at) => return at.closed(),
            _ => return,
        }
        // A host that makes the modem restart can't release its clients any more (qmi.md §4).
        if count > 0 && !board.is_leaving() {
            board.wrong(Wrong::ClientsLeft { count }, now);
        }
    }

    /// The host raises or drops DTR.
    pub(crate) fn terminal_ready(&mut self, interface: u8, is_ready: bool) {
        if let Some(Port {
            answers: Answers::Qmi(qmi),
            ..
        }) = self.port(interface)
        {
            qmi.terminal_ready(is_ready);
        }
    }

    pub(crate) fn receive(&mut self, interface: u8, bytes: &[u8], board: &mut Board, now: Instant) {
        let Self { core, ports, .. } = self;
        let Some(port) = ports.iter_mut().find(|port| port.interface == interface) else {
            return;
        };
        match &mut port.answers {
            Answers::Diag(decoder) => {
                note_foreign_bytes("DIAG", bytes, board, now);
                diag(interface, decoder, bytes, board, now);
            }
            Answers::At(at) => {
                note_foreign_bytes("AT", bytes, board, now);
                at.receive(interface, bytes, core, board, now);
            }
            Answers::Qmi(qmi) => qmi.receive(interface, bytes, core, board, now),
            Answers::Mbim(mbim) => mbim.receive(interface, bytes, core, board, now),
            Answers::Nmea => note_foreign_bytes("NMEA", bytes, board, now),
            Answers::Nothing => {}
        }
    }

    /// When to call [`tick`](Self::tick) again, even if the host stays silent.
    pub(crate) fn timer(&self, board: &Board) -> Instant {
        if board.is_leaving() {
            return Instant::FAR;
        }
        let announcement = if self.is_announced {
            Instant::FAR
        } else {
            board.ready_at
        };
        announcement.min(self.next_position)
    }

    pub(crate) fn tick(&mut self, board: &mut Board, now: Instant) {
        if !self.is_announced && board.ready_at <= now {
            self.is_announced = true;
            self.core.clients.announced();
            if !board.setup.quirks.is_control_silent {
                for port in &mut self.ports {
                    match &mut port.answers {
                        Answers::Qmi(qmi) => qmi.announce(port.interface, board, now),
                        Answers::Mbim(mbim) => mbim.announce(port.interface, board, now),
                        _ => {}
                    }
                }
            }
        }
        if self.next_position <= now {
            self.next_position = now + NMEA_PERIOD;
            for port in self.ports.iter().filter(|port| port.is_open) {
                if matches!(port.answers, Answers::Nmea) {
                    let _ = board.say_on(port.interface, NMEA_LINE.to_vec(), now);
                }
            }
        }
    }

    fn port(&mut self, interface: u8) -> Option<&mut Port> {
        self.ports.iter_mut().find(|port| port.interface == interface)
    }
}

/// Answers as DIAG answers a frame that it doesn't know: 0x13 and the frame (em7455_sdp-0x13 trace).
pub(crate) fn diag(
    interface: u8,
    decoder: &mut hdlc::Decoder,
    bytes: &[u8],
    board: &mut Board,
    now: Instant,
) {
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

/// Records a violation if the bytes are meant for a boot loader: they must not arrive at a port of running
/// firmware.
fn note_foreign_bytes(port: &'static str, bytes: &[u8], board: &mut Board, now: Instant) {
    let has = |pattern: &[u8]| bytes.windows(pattern.len()).any(|window| window == pattern);
    let protocol = if has(b"QCOM high speed protocol hst") || has(&[0x7e, 0x70, 0x00, 0x00]) {
        "QDL"
    } else if has(&[0x02, 0, 0, 0, 0x30, 0, 0, 0]) || has(&[0x0d, 0, 0, 0, 0x0c, 0, 0, 0]) {
        "Sahara"
    } else if has(b"<?xml") {
        "Firehose"
    } else {
        return;
    };
    board.wrong(Wrong::ForeignBytes { protocol, port }, now);
}
