//! Speed and quality of the forecast. `bench/forecast/run` runs it beside its peers.

mod calibration;
mod montecarlo;
mod owners;
mod psplib;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("network") => montecarlo::write(&arguments[1..]),
        Some("time") => montecarlo::time(&arguments[1..]),
        Some("answers") => montecarlo::answers(),
        Some("calibration") => calibration::main(&arguments[1..]),
        Some("owners") => owners::main(&arguments[1..]),
        Some("plan") => owners::write(&arguments[1..]),
        Some("psplib") => psplib::main(&arguments[1..]),
        _ => eprintln!("see bench/forecast/run"),
    }
}
