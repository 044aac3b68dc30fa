fn main() {
    let p = std::env::args().nth(1).unwrap();
    let b = std::fs::read(&p).unwrap();
    let f = backout_documents::read::detect(&p, &b).unwrap();
    let d = backout_documents::read::read(f, &b, None).unwrap();
    println!("{:?} {:?}", d.title, d.facts);
    for b in &d.blocks {
        println!("{} {:?}\n{}\n", b.place, std::mem::discriminant(&b.kind), b.text());
    }
}
