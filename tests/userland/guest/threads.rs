// Threads, channels, locks, a panic that is caught.
use std::collections::HashMap;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

fn main() {
    let counts = Arc::new(Mutex::new(HashMap::new()));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..16u64)
        .map(|i| {
            let (counts, sender) = (counts.clone(), sender.clone());
            thread::spawn(move || {
                for j in 0..1000u64 {
                    *counts.lock().unwrap().entry(j % 97).or_insert(0u64) += j * i;
                }
                sender.send(i).unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    drop(sender);
    assert_eq!(receiver.iter().sum::<u64>(), 120);
    assert_eq!(counts.lock().unwrap().values().sum::<u64>(), 59940000);
    assert!(std::panic::catch_unwind(|| { let none: Vec<i32> = vec![]; none[0] }).is_err());
    assert_eq!((1..=20u128).product::<u128>(), 2432902008176640000);
}
