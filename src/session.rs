//! One tenant: connect, invoke, disconnect; deadlines, cancellation, the session budget.
