//! Links from a comment into the repository.

use std::path::Path;

use super::repository;
use crate::cli::args::Review;
use crate::plan::Preview;
use crate::report::{BaseLinks, Links, MarkdownOptions};

/// What a comment says beside the plan: as the command line says, else as the CI server says where one runs this.
pub fn options(review: &Review, file: Option<&Path>, preview: Option<&Preview>) -> MarkdownOptions {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (template, commit) = server(&variable);
    let commit = review.commit.clone().or(commit).or_else(|| preview?.commit.clone());
    let template = review.links.clone().or(template);
    let base = preview.map(|preview| BaseLinks {
        prefix: preview.in_base(""),
        template: template.as_ref().filter(|t| t.contains("{commit}")).map(|t| t.replace("{commit}", &preview.base_commit)),
        folder: preview.base_folder.clone(),
    });
    let template = match (template, &commit) {
        (Some(template), Some(commit)) => Some(template.replace("{commit}", commit)),
        (Some(template), None) => (!template.contains("{commit}")).then_some(template),
        (None, _) => None,
    };
    let folder = repository::paths(None).folder;
    MarkdownOptions { links: Links { template, folder, base }, commit, file: file.map(|f| f.display().to_string()), approvals: Vec::new() }
}

/// URL of a line, and the commit, as GitHub Actions (and Gitea's, which are alike) and GitLab CI tell them.
fn server(variable: &dyn Fn(&str) -> Option<String>) -> (Option<String>, Option<String>) {
    if let (Some(_), Some(server), Some(repository)) =
        (variable("GITHUB_ACTIONS"), variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY"))
    {
        return (Some(format!("{server}/{repository}/blob/{{commit}}/{{path}}#L{{line}}")), variable("GITHUB_SHA"));
    }
    if let (Some(_), Some(project)) = (variable("GITLAB_CI"), variable("CI_PROJECT_URL")) {
        return (Some(format!("{project}/-/blob/{{commit}}/{{path}}#L{{line}}")), variable("CI_COMMIT_SHA"));
    }
    (None, None)
}

#[cfg(test)]
mod tests {
    use super::server;

    #[test]
    fn servers_tell_where_the_repository_is() {
        let github = |name: &str| {
            let value = match name {
                "GITHUB_ACTIONS" => "true",
                "GITHUB_SERVER_URL" => "https://github.example",
                "GITHUB_REPOSITORY" => "dc/site",
                "GITHUB_SHA" => "0123abc",
                _ => return None,
            };
            Some(value.to_owned())
        };
        assert_eq!(
            server(&github),
            (Some("https://github.example/dc/site/blob/{commit}/{path}#L{line}".to_owned()), Some("0123abc".to_owned()))
        );
        let gitlab = |name: &str| match name {
            "GITLAB_CI" => Some("true".to_owned()),
            "CI_PROJECT_URL" => Some("https://gitlab.example/dc/site".to_owned()),
            _ => None,
        };
        assert_eq!(server(&gitlab), (Some("https://gitlab.example/dc/site/-/blob/{commit}/{path}#L{line}".to_owned()), None));
        assert_eq!(server(&|_| None), (None, None));
    }
}
