//! Guards, one row a spoilt world: what each finds for a planned run and for an emergency.
