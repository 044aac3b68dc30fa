fn main() {
    let p = std::env::args().nth(1).unwrap();
    let b = std::fs::read(&p).unwrap();
    let f = backout_documents::read::detect(&p, &b).unwrap();
    let d = backout_documents::read::read(f, &b, None).unwrap();
    let i = backout_import::import(&d, "file");
    let t = backout_plan::emit::emit(&i.plan, None).unwrap();
    println!("{t}");
    println!("{}", i.report.markdown(&p));
    match backout_plan::read_bytes(t.as_bytes()) {
        Ok(r) => {
            for f in backout_plan::check::check(&r, &Default::default()).findings {
                println!("{} {}", f.code, f.message)
            }
        }
        Err((_, e)) => {
            for x in e {
                println!("ERR {}", x.message)
            }
        }
    }
}
