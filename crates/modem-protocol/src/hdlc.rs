//! HDLC-like framing (qdl.md §2). Not written yet.
